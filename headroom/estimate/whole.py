"""The estimate of a profile, model by model. What cannot be known of one is said in its row, and the others stay."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from headroom.config.params import Params
from headroom.config.tasks import Task, load_task
from headroom.errors import UserError
from headroom.estimate import needs
from headroom.estimate.examples import Expected, at_hand, expected
from headroom.estimate.figures import Estimate, ModelEstimate, Needs
from headroom.estimate.hours import Course, course, joining, parts, tokens
from headroom.estimate.pace import Offer, Pace
from headroom.estimate.rehearsal import Rehearsal
from headroom.estimate.sketch import PART, Sketch, memory
from headroom.estimate.spent import NOTHING, Spent, spent
from headroom.estimate.unprepared import Unprepared, cells, foresee
from headroom.measure.devices import resolved
from headroom.measure.machine import cores
from headroom.models.checking import skeleton
from headroom.models.configs import config_of
from headroom.models.loading import purpose_of
from headroom.models.packages import kept
from headroom.models.snapshots import pinned
from headroom.models.sources import Source
from headroom.pipeline.crew import processes
from headroom.training.fit import TrainingError

LIBRARIES = "import headroom.pipeline.prepare"  # what a process of the pipeline begins with
LIBRARIES_TAKE = 400 * 2**20  # bytes of a process with them and nothing else; on a card they take next to nothing
BROKEN = (ArithmeticError, TrainingError, MemoryError)  # of a trial: a finding on this model
LEARNING = 6  # a model that is tried out is there several times: to be scored, to learn, to be timed


def estimate(
    params: Params,
    where: str,
    models: Iterable[str] = (),
    price: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Estimate:
    """Of all models of a profile, or of some; ``say`` is told what is looked at, for it takes a while.

    Raises ``UserError`` for a model that the profile does not list.
    """
    names = list(models) or list(params.models)
    for name in names:
        params.spec(name)
    sizes = {task: needs.rows(load_task(task), params.data) for name in names for task in params.models[name].tasks}
    start = starting()
    rows = []
    for name in names:
        say(f"{name} ...")
        rows.append(row(params, where, name, sizes, start))
    return Estimate(
        params.profile,
        tuple(rows),
        joining([one.points for one in rows], start),
        tuple(rests_on(params)),
        price,
        {task: size for task, (size, _) in sizes.items()},
    )


def row(params: Params, where: str, name: str, sizes: dict[str, needs.Size], start: float) -> ModelEstimate:
    """What is known of one model."""
    spec = params.models[name]
    weights, why = needs.weights(spec, params.data)
    data = [sizes[task] for task in spec.tasks]
    whole = None if any(size is None for size, _ in data) else sum(size or 0 for size, _ in data)
    reasons = dict.fromkeys(sentence for sentence in (why, *(said for _, said in data)) if sentence)
    needed = Needs(weights, whole, tuple(reasons))
    try:
        return known(params, where, name, needed, start)
    except UserError as error:
        return ModelEstimate(name, needed, reasons=() if str(error) in reasons else (str(error),))
    except BROKEN as error:
        return ModelEstimate(name, needed, reasons=(f"{name} could not be tried out: {error}.",))


def known(params: Params, where: str, name: str, needed: Needs, start: float) -> ModelEstimate:
    """A row with all figures, or as many as can be had. Raises ``UserError`` where not even its shape is known."""
    run, purpose = Unprepared(params, where, name), purpose_of(params.models[name])
    shape = shape_of(run, purpose)
    tasks = [load_task(task) for task in run.spec.tasks]
    found = asked(run, shape)
    pace, why = paced(run, shape, purpose, tasks, list(found.offers.values()))
    steps = run.spec.train.steps if run.spec.train else 0
    memory, said = held(found.spent, pace.memory + LIBRARIES_TAKE) if run.device == "cpu" else (pace.memory, ())
    return ModelEstimate(
        name,
        needed,
        memory,
        processes(params.run, run.device),
        len(found.points),
        not found.exact,
        {} if why else tokens(found, pace, steps),
        () if why else tuple(parts(found, pace, steps, start, purpose == "language")),
        (pace.note, *sources(found.spent), *said),
        why,
    )


def held(costs: Mapping[str, Spent], scoring: int) -> tuple[int, tuple[str, ...]]:
    """Bytes of the largest process, and why that is not one that scores, where a method took more to make its plans."""
    method, most = max(((name, one.memory) for name, one in costs.items()), key=lambda one: one[1], default=("", 0))
    if most <= scoring:
        return scoring, ()
    took = f"{method} took {most / 1e9:.1f} GB to make its plans, by that record, and scoring takes {scoring / 1e9:.1f}"
    return most, (f"{took}: a smaller calibrate.batch of the model takes less.",)


def asked(run: Unprepared, shape: Any) -> Course:
    """All measurements that a model is going to be asked for."""
    found, costs, exact = cells(run, shape), dict[str, Spent](), True
    steps = run.recover.steps if run.recover else 0
    for cell in found:
        if cell.within_reach and cell.declared:
            costs[cell.name] = spent(cell.declared, run, shape.config.model_type, steps)
            if foresee(cell, shape, costs[cell.name]):
                costs[cell.name] = NOTHING
            else:
                exact = False
    return course(run.params, found, costs, exact, shape)


def sources(costs: Mapping[str, Spent]) -> Iterator[str]:
    """Where the costs of plans were taken from, a sentence for each place."""
    places: dict[str, list[str]] = {}
    for method, one in costs.items():
        if one is not NOTHING:
            places.setdefault(one.origin, []).append(method)
    for place, methods in places.items():
        yield f"Costs of plans from {place}: {', '.join(methods)}."


def shape_of(run: Unprepared, purpose: str) -> Any:
    """The model without weights, from its config alone. Raises ``UserError`` where that is not to be had."""
    spec, where = run.spec, f"{run.where}: models.{run.name}"
    if spec.source.config is not None:
        vocabulary = {"vocab_size": spec.tokenizer.size} if spec.tokenizer.size else {}
        return skeleton(config_of(spec.source.config, f"{where}.source.config", **vocabulary), purpose, where)
    if spec.source.package is not None and not kept(spec.source.package):
        raise UserError(f"{where}: {spec.source.package} is not here; its shape is known once `headroom fetch` got it.")
    source = Source.of(pinned(spec), run.params.data)
    run.facts["dtype"] = str(source.config.dtype or "float32").removeprefix("torch.")
    return skeleton(source.config, purpose, where, spec.trust_remote_code)


def paced(
    run: Unprepared, shape: Any, purpose: str, tasks: list[Task], offers: list[Offer]
) -> tuple[Pace, tuple[str, ...]]:
    """How fast a model is, and why that says nothing of its hours, where it does not."""
    small = shape.num_parameters() * 4 * LEARNING < memory(run.device) / PART
    here = run.spec.source.config is not None or Source.of(pinned(run.spec), run.params.data).there
    if small and here and all(at_hand(task, run.params.data) for task in tasks):
        with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
            return Rehearsal(run, Path(folder)).pace(offers), ()
    told = [(task, expected(task, run.params.data)) for task in tasks]
    return Sketch(run, shape, purpose).pace(told), tuple(uncounted(told))


def uncounted(told: list[tuple[Task, Expected]]) -> Iterable[str]:
    for task, found in told:
        if found.count is None:
            yield f"{task.file}: how many examples it scores is not known before its data are here."


def starting() -> float:
    """Seconds of a process that imports what the pipeline does, on a quiet machine."""
    before = os.times()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, capture_output=True)
    after = os.times()
    return sum(getattr(after, key) - getattr(before, key) for key in ("children_user", "children_system"))


def rests_on(params: Params) -> Iterable[str]:
    """What holds for every row."""
    count = processes(params.run, resolved(params.run.device))
    yield (
        f"Hours are those of this machine with {count} process{'es' if count > 1 else ''} that measure"
        f"{'' if count > 1 else 's'} and nothing else running, from nothing: what is prepared or in the journal "
        "already is not subtracted."
    )
    if params.run.engine == "ray":
        yield "run.engine is ray: more nodes make the stage measure shorter, which is not counted here."
    if (load := psutil.getloadavg()[0]) > cores() / 2:
        yield (
            f"The load was {load:.1f} on {cores()} cores meanwhile: process time stands for the clock's, and says too "
            "much of a training on several threads."
        )
