"""Extra measurements on a prepared model, each kept in the journal. Only probe, streams and roles run a model.

Silenced units stand for removed ones: the harness compares the two at every point of every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headroom import attention
from headroom.api import Grain, Site, Unit
from headroom.claims.estimate import Estimate
from headroom.claims.finding import NotTestable
from headroom.config.registry import file_of, load_method
from headroom.data.batches import batches, per_example_loss
from headroom.data.loading import read_split
from headroom.digests import file_hash
from headroom.errors import UserError
from headroom.evaluate import Evaluation
from headroom.models import checkpoints
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.plans import ask
from headroom.pipeline.reach import resolved
from headroom.results.records import TaskFacts
from headroom.results.resamples import retained

PASSES = 12_000  # examples that the ablation of every single head may take: twenty seconds on one core
LANGUAGE_PASSES = 2_000  # the same for texts as long as the model allows
WORK = 5 * 10**12  # multiplications that it may take, where a model is so large that they count: minutes of a core
FAR = 10 * WORK  # what is not begun
LEAST = 50  # examples of a task, however many heads there are
SETS = 6  # of units that are silenced at each stage of a training, nothing at all being one of them
CHOSEN_ON = 32  # calibration examples on which the best head of a site is chosen
Array = np.ndarray


class Probe:
    """One model to try things on. ``run`` lends it with its data, the journal, and what every number hangs on.

    With a ``step`` it is the model as its training had made it by then, one of ``train.checkpoints``. ``scorings``
    says how often it, and others like it, are scored in all; as often as there are heads, unless given.
    """

    def __init__(
        self, run: ModelRun, tasks: Mapping[str, TaskFacts], step: int | None = None, scorings: int | None = None
    ) -> None:
        self.run, self.bench, self.tasks, self.step = run, run.bench, tasks, step
        trained = self.bench.prepared.model
        self.model = trained if step is None else checkpoints.at_step(trained, run.folder, step)
        self.plan = attention.anatomy(self.model)
        self.units = self.plan.units(resolved((Grain.HEAD,), self.plan.info))  # heads, or KV groups where there are any
        self.seed = run.params.run.seeds[0]
        self.scorings = scorings or len(self.units)

    @property
    def sites(self) -> dict[Site, list[Unit]]:
        """The units of every attention site."""
        return {site: [unit for unit in self.units if unit.site == site] for site in self.plan.info.sites}

    def stages(self) -> list[Stage]:
        """The model at every checkpoint of its training, then as it is. Raises ``NotTestable`` where none was kept."""
        spec = self.run.spec
        if spec.train is None:
            raise NotTestable("The model came trained, so there are no checkpoints of its training.")
        if spec.source.config is None:
            raise NotTestable("Its training here began with pretrained weights; this needs checkpoints of a whole one.")
        if not spec.train.checkpoints:
            raise NotTestable("Its training kept no checkpoints; `train.checkpoints` of the model names the steps.")
        return self._stages

    @cached_property
    def _stages(self) -> list[Stage]:
        steps = [*(self.run.spec.train.checkpoints if self.run.spec.train else ()), None]
        probes = {step: Probe(self.run, self.tasks, step, SETS * len(steps)) for step in steps}
        return [Stage(f"step {step}" if step else "trained", probe) for step, probe in probes.items()]

    @property
    def examples(self) -> int:
        """Evaluation examples of each task that are scored: so many that all scorings take ``PASSES``, or ``WORK``."""
        passes = LANGUAGE_PASSES if self.bench.prepared.purpose == "language" else PASSES
        return max(LEAST, min(passes, WORK // self.cost) // (self.scorings * len(self.tasks)))

    @cached_property
    def cost(self) -> int:
        """Multiply-accumulates of one calibration example."""
        with torch.inference_mode():
            return attention.count(self.model, next(self.calibration(1))).macs

    def refuse_hours(self) -> None:
        """Raises ``NotTestable`` where silencing every unit alone takes hours."""
        work = len(self.units) * self.examples * len(self.tasks) * self.cost
        if work > FAR:
            raise NotTestable(
                f"To silence {len(self.units)} units one by one takes {work:.0e} multiplications, more than the "
                f"{FAR:.0e} that are spent here on a claim."
            )

    @cached_property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """The first evaluation examples of each task."""
        splits = {name: read_split(self.bench.folder, name, "evaluate") for name in self.tasks}
        return {name: list(split.select(range(min(len(split), self.examples)))) for name, split in splits.items()}

    @cached_property
    def evaluation(self) -> Evaluation:
        tasks = [task for task in self.bench.tasks if task.name in self.tasks]
        return Evaluation.of(self.bench.prepared, [(task, self.rows[task.name]) for task in tasks])

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        """Batches of calibration examples where the model is, the same ones that a method gets with the first seed."""
        drawn = batches(self.bench.calibration, self.bench.collator, batch_size, seed=self.seed, examples=examples)
        return ({name: value.to(self.model.device) for name, value in batch.items()} for batch in drawn)

    def remember(self, kind: str, make: Callable[[], dict[str, Any]], *code: Path, **rest: Any) -> dict[str, Any]:
        """An answer from the journal, or made now; ``code`` are the files that it hangs on beside the engine."""
        hangs_on = self.run.base | {"kind": kind, "code": file_hash(Path(__file__), *code), "seed": self.seed} | rest
        if self.step is not None:
            hangs_on["checkpoint"] = self.run.facts["files"][checkpoints.file_of(self.step)]
        return self.run.journal.remember("claims", hangs_on, make)

    def scores(self, silent: Iterable[Unit]) -> dict[str, Array]:
        """Counts per example of every task with these units silenced, each (examples, k)."""
        silent = sorted(silent)

        def score() -> dict[str, Any]:
            with attention.mask(self.model, silent):
                return {task: scores.stats for task, scores in self.evaluation.score(self.model).items()}

        return self.remember("scores", score, silent=[str(unit) for unit in silent], examples=self.examples)

    def kept(self, silent: Iterable[Unit], task: str) -> Estimate:
        """Retained quality with these units silenced."""
        return Estimate.of(*retained(self.scores(silent)[task], self.scores(())[task], self.tasks[task]))

    def best_heads(self) -> dict[Site, Unit]:
        """At every site the head that, alone of its site, leaves the least loss on calibration examples."""
        sites = {site: units for site, units in self.sites.items() if len(units) > 1}
        batch = next(self.calibration(CHOSEN_ON, CHOSEN_ON))

        def loss_with(unit: Unit) -> float:
            with attention.mask(self.model, [other for other in sites[unit.site] if other != unit]):
                return float(per_example_loss(self.model, batch).sum())

        def choose() -> dict[str, Any]:
            with torch.inference_mode():
                return {str(site): min(units, key=loss_with).index for site, units in sites.items()}

        chosen = self.remember("best heads", choose)
        return {site: next(unit for unit in sites[site] if unit.index == chosen[str(site)]) for site in sites}

    def order(self, method: str, parameters: Mapping[str, Any]) -> list[Unit]:
        """The units that a method removes from the first to the last: its plans, asked for one unit at a time.

        Raises ``NotTestable`` when the method has no such parameters or gives no such plans.
        """
        file = file_of(method, None, "claims")
        rest = {"method": method, "parameters": dict(parameters)}
        found = self.remember("order", lambda: self._ordered(method, parameters), file, **rest)
        if found["reason"]:
            raise NotTestable(found["reason"])
        return [Unit.parse(text) for text in found["order"]]

    def _ordered(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            method = load_method(name, dict(parameters), f"claims: {name}")
        except UserError as error:
            return {"reason": str(error), "order": []}
        bench = self.bench
        ctx = HarnessContext(
            self.model,
            method.removes(),
            bench.calibration,
            bench.collator,
            method.params,
            self.seed,
            calibrate=self.run.spec.calibrate,
        )
        targets = [(place + 1) / len(ctx.units) for place in range(len(ctx.units))]
        answer = ask(method, ctx, targets, name, self.run.params.run.plan_seconds)
        plans = sorted((plan.drop for plan in answer.plans), key=len)
        return {"reason": next(iter(answer.missing.values()), ""), "order": [str(unit) for unit in in_turn(plans)]}


@dataclass(frozen=True)
class Stage:
    """A model on its way through the training."""

    name: str
    probe: Probe

    def __str__(self) -> str:
        return self.name


def in_turn(plans: Sequence[frozenset[Unit]]) -> list[Unit]:
    """Units in the order in which growing plans take them up."""
    order: dict[Unit, None] = {}
    for plan in plans:
        order.update(dict.fromkeys(sorted(plan - order.keys())))
    return list(order)
