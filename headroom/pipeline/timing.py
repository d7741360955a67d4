"""The stage ``time``: the removed models of every method on one model against the dense one, on this machine.

Each timing is kept under what it is a timing of (plan, workload, machine, engine), so a new method times only itself,
and two methods that remove the same units are timed once. Trained weights have the dense shapes and take as long, so
none are needed. It runs in one process, alone: timings are never spread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from headroom.api import Unit
from headroom.config.params import Params
from headroom.config.speed import Work
from headroom.digests import file_hash
from headroom.errors import UserError
from headroom.measure.speed import MIDDLE, Removed, speed_points
from headroom.pipeline import engine
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.progress import Progress, progress
from headroom.results.files import read, write
from headroom.results.places import read_cell
from headroom.results.records import CellRecord, Point
from headroom.results.speed_records import Machine, SpeedPoint, SpeedRecord

logger = logging.getLogger(__name__)

TOGETHER = 4  # removed models in one interleaved series: more would put the dense calls too far from their pairs
NAMES = {"target", "label", "natural", "seed", "plan_hash"}  # of a point: whose timing it is, not what was timed


@dataclass(frozen=True)
class Timing:
    """One thing to time: a plan at a workload. ``base`` is what every timing of the model depends on."""

    run: ModelRun
    base: dict[str, Any]
    point: Point
    work: Work

    @cached_property
    def path(self) -> Path:
        """Where the journal keeps it."""
        asked = self.work.memory or self.work.compiled or bool(self.run.params.speed.memory_gib)
        depends = self.base | {
            "drop": self.point.plan,
            "work": self.work.model_dump(mode="json"),
            "extras": self.point.target == MIDDLE and asked,  # what takes a process of its own is measured there only
        }
        return self.run.journal.path("timings", depends)


def base(this: ModelRun, machine: Machine) -> dict[str, Any]:
    """What every timing of a model depends on."""
    return {
        "model": this.base["model"],
        "machine": machine.fingerprint,
        "threads": this.params.run.threads,
        "settings": this.params.speed.model_dump(mode="json", exclude={"targets", "works"}),
        "engine": file_hash(*engine.files(engine.TIMED)),
        "versions": [version(name) for name in ("torch", "transformers")],
    }


def run(params: Params, where: str, model: str, ready: Callable[[], None]) -> list[SpeedRecord]:
    """Time every method of the profile on a model and write the records.

    ``ready`` is called before torch is needed, which it is not where nothing is to be timed.
    """
    this, here = ModelRun(params, where, model), read(params.machine, Machine)
    params = this.params
    this.refuse_changes()
    cells = {method: quality(params, model, method) for method in params.methods}
    works, same = params.speed.works.get(this.facts["purpose"], ()), base(this, here)
    wanted = {
        method: [Timing(this, same, point, work) for work in works for point in chosen(record, params.speed.targets)]
        for method, record in cells.items()
        if record
    }
    todo = {one.path: one for timings in wanted.values() for one in timings if this.journal.read(one.path) is None}
    with progress(model) as shown:
        if todo:
            ready()
            time_all(this, here, list(todo.values()), shown)
        records = []
        for method, record in cells.items():
            timings = wanted.get(method, [])
            records.append(written(this, here, method, record, timings))
            new = sum(one.path in todo for one in timings)
            shown.cell(f"{method} on {model}: {len(records[-1].points)} timings, {new} new")
        return records


def quality(params: Params, model: str, method: str) -> CellRecord | None:
    """The record of a cell; None where there is none that can be believed."""
    try:
        return read_cell(params.quality_record(model, method), params.profile, model, method)
    except (UserError, FileNotFoundError):
        return None


def chosen(record: CellRecord, targets: tuple[float, ...]) -> list[Point]:
    """The points to time, of the first seed: those at the targets of ``speed``, and the dense model's own.

    Of a method with points of its own, those count whose removed share comes nearest to the targets. Fine-tuning
    changes no speed: of a plan that was scored as is and recovered, the first point stands for both.
    """
    first = min((point.seed for point in record.points), default=0)
    series = [one for one in record.points if one.status == "ok" and not one.label and one.seed == first]
    own = [one for one in series if one.natural]
    found = [one for one in series if not one.natural and one.target in (0.0, *targets)]
    found += [min(own, key=lambda one: abs(share(one) - target)) for target in targets if own]
    once = {(one.target, one.natural): one for one in reversed(found)}
    return sorted(once.values(), key=lambda one: (one.target, one.natural))


def share(point: Point) -> float:
    """Units removed of all that could be."""
    return point.units_removed / point.units if point.units else 0.0


def time_all(this: ModelRun, machine: Machine, todo: Sequence[Timing], shown: Progress) -> None:
    """Time what the journal lacks, a few plans at a time; their models are built once for all workloads."""
    bench = this.bench
    shown.begin("timings", len(todo))
    left = iter(dict.fromkeys(tuple(one.point.plan) for one in todo))
    while plans := list(islice(left, TOGETHER)):
        models = {plan: bench.removed(map(Unit.parse, plan)) for plan in plans}
        for mine in series(todo, models):
            time_series(this, machine, mine, [models[tuple(one.point.plan)] for one in mine])
            for one in mine:
                shown.step(f"timings, {one.work.kind}")


def series(todo: Sequence[Timing], models: dict[tuple[str, ...], Any]) -> Iterator[list[Timing]]:
    """The timings of these models, those of one workload together."""
    mine = [one for one in todo if tuple(one.point.plan) in models]
    for work in dict.fromkeys(one.work for one in mine):
        yield [one for one in mine if one.work == work]


def time_series(this: ModelRun, machine: Machine, timings: Sequence[Timing], models: Sequence[Any]) -> None:
    """Time some removed models at one workload against one series of dense calls, and keep each."""
    entries = [
        Removed(one.point.target, one.point.seed, "", one.point.plan_hash, model)
        for one, model in zip(timings, models, strict=True)
    ]
    before = psutil.getloadavg()[0]
    dense, settings = this.bench.prepared.model, this.params.speed
    points = speed_points(dense, entries, [timings[0].work], settings, machine=machine)
    load = [round(before, 2), round(psutil.getloadavg()[0], 2)]
    for one, point in zip(timings, points, strict=True):
        this.journal.write(one.path, {"point": point.model_dump(mode="json"), "load": load})


def written(
    this: ModelRun, machine: Machine, method: str, record: CellRecord | None, timings: Sequence[Timing]
) -> SpeedRecord:
    """Write the speed record of a cell. A cell without quality has no speed, and says the same why."""
    kept = [(one.point, this.journal.read(one.path)) for one in timings]
    found = [(point, answer) for point, answer in kept if answer is not None]
    loads = [load for _, answer in found for load in answer["load"]] or [0.0]
    speed = SpeedRecord(
        profile=this.params.profile,
        method=method,
        model=this.name,
        status="ok" if found else record.status if record and record.status != "ok" else "failed",
        reason="" if found else record.reason if record and record.reason else "no point could be measured",
        machine=machine.fingerprint,
        load_before=loads[0],
        load_after=loads[-1],
        points=[named(point, answer["point"]) for point, answer in found],
        provenance=this.provenance("time", machine.fingerprint),
    )
    write(this.params.speed_record(this.name, method), speed)
    return speed


def named(point: Point, timing: dict[str, Any]) -> SpeedPoint:
    """A timing under the names of the point that it belongs to."""
    return SpeedPoint.model_validate(timing | point.model_dump(include=NAMES))
