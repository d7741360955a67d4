"""Ask a method for its plans: one share, or a ladder of shares of which each removes more than the one before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from headroom.api import Method, Plan, Track, Unit
from headroom.config.params import kinds_of
from headroom.config.registry import file_of, load_method, short
from headroom.errors import UserError
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.plans import Answer, ask
from headroom.pipeline.reach import refusal
from headroom.pruning import uniform
from headroom.pruning.subject import Request, Subject
from headroom.pruning.watching import Watch
from headroom.results.stats import TOLERANCE

STEPS = 40  # of a ladder at most: bisection asks six of them
HOUR = 3600  # seconds that a method may be silent


@dataclass(frozen=True)
class Step:
    """One plan of a ladder, and of how many units it is one."""

    drop: frozenset[Unit]
    units: int
    natural: str = ""  # the method's own name for it
    weights: str = ""  # file of the weights that come with it

    @property
    def share(self) -> float:
        """Of the units that go."""
        return len(self.drop) / self.units

    @classmethod
    def of(cls, plan: Plan, units: int) -> Step:
        return cls(plan.drop, units, plan.natural, str(plan.weights or ""))

    def as_json(self) -> dict[str, Any]:
        drop = [str(unit) for unit in sorted(self.drop)]
        return {"drop": drop, "units": self.units, "natural": self.natural, "weights": self.weights}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Step:
        return cls(frozenset(map(Unit.parse, kept["drop"])), kept["units"], kept["natural"], kept["weights"])


class Reading(HarnessContext):
    """A context that tells how many calibration examples have been read."""

    watch: Watch

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        for batch in super().calibration(examples, batch_size):
            yield batch
            self.watch.step(len(next(iter(batch.values()))))


@dataclass
class Planner:
    """A method in front of a model. Raises ``UserError`` where it cannot do this model."""

    request: Request
    method: Method
    subject: Subject
    folder: Path  # for weights
    watch: Watch

    def __post_init__(self) -> None:
        where = f"--method {self.method.name}"
        kinds = kinds_of(parsed(self.request.parameters), where)
        self.context = Reading(
            self.subject.model,
            self.method.removes(),
            self.subject.splits.get("calibrate"),
            self.subject.collator,  # type: ignore[arg-type]  # none is asked for where there are no examples
            self.method.params,
            self.request.seed,
            weights_folder=self.folder,
            kinds=kinds,
        )
        self.context.watch = self.watch
        if refused := refusal(self.method, self.context.info):
            raise UserError(f"{where}: {refused}")
        if not self.context.units:
            raise UserError(f"{where}: the model has no such unit at {', '.join(kinds or ())} (--set kinds).")
        self.file = short(file_of(self.method.name, None, "--method"))

    @property
    def identity(self) -> dict[str, Any]:
        """What the plans depend on, beside the model, the data and the method's file."""
        given = {name: repr(value) for name, value in vars(self.method.params).items()}
        kinds = parsed(self.request.parameters).get("kinds")
        uniform = {"uniform": True} if self.request.uniform else {}
        return {"method": self.method.name, "params": given, "kinds": kinds, "seed": self.request.seed} | uniform

    def one(self, target: float) -> Step:
        """The plan for a share; of a method with points of its own the one nearest to it."""
        if self.request.uniform:
            return self._uniform(target)
        answer = self.asked([target])
        plans = [plan for plan in answer.plans if plan.target == target or plan.natural]
        if not plans:
            said = f"{self.file}: has no plan for a share of {target:g}."
            raise UserError(answer.missing.get(target) or said)
        plan, total = min(plans, key=lambda plan: abs(plan.target - target)), len(self.context.units)
        if not plan.drop:
            raise UserError(
                f"--target is {target:g}, which of {total} units is none: the model would stay as it is. "
                f"With {math.ceil(1e4 / total) / 1e4:g} and above {self.method.name} removes one or more."
            )
        return Step.of(plan, total)

    def _uniform(self, target: float) -> Step:
        """The whole number of units of every layer that is nearest below a share."""
        total, given = len(self.context.units), uniform.plans(self)
        within = [plan for plan in given if plan.target <= target + TOLERANCE]
        if not within:
            each, least = total // len(self.context.units.sites), math.ceil(1e4 * given[0].target) / 1e4
            raise UserError(
                f"--target is {target:g}, which of {each} units a layer is none that a stock config can say: the model "
                f"would stay as it is. With {least:g} and above --uniform removes some of every layer."
            )
        return Step.of(within[-1], total)

    def ladder(self) -> list[Step]:
        """Plans for shares all over the range, by what they remove; several that remove as much are one."""
        total = len(self.context.units)
        if self.request.uniform:
            return [Step.of(plan, total) for plan in uniform.plans(self)]
        counts = sorted({round(place * (total - 1) / STEPS) for place in range(1, STEPS + 1)} - {0})
        answer = self.asked([count / total for count in counts])
        steps: dict[int, Step] = {}
        for plan in answer.plans:
            if 0 < len(plan.drop) < total and not plan.label:
                steps.setdefault(len(plan.drop), Step.of(plan, total))
        if not steps:
            said = next(iter(answer.missing.values()), f"{self.file}: has no plan that leaves a part of the model.")
            raise UserError(said)
        return [steps[count] for count in sorted(steps)]

    def asked(self, targets: Sequence[float]) -> Answer:
        """Raises ``UserError`` with the trace where the method does."""
        examples = getattr(self.method.params, "examples", 0) if self.method.calibrated else 0
        there = self.subject.splits.get("calibrate")
        read = f", {min(examples, len(there))} examples" if examples and there else ""
        total = min(examples, len(there)) if examples and there else 0
        with self.watch.doing(f"{self.method.name}: what to remove{read}", total):
            answer = ask(self.method, self.context, targets, self.file, seconds=HOUR)
        if answer.trace:
            raise UserError(f"{answer.missing.get(targets[0], '')}\n{answer.trace}")
        return answer


def parsed(pairs: Sequence[str]) -> dict[str, Any]:
    """``["examples=64"]`` as ``{"examples": 64}``, values read as YAML."""
    from ruamel.yaml import YAML

    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UserError(f"--set {wrong[0]}: wanted name=value, e.g. --set examples=64.")
    return {name: YAML(typ="safe").load(value) for name, _, value in (pair.partition("=") for pair in pairs)}


def method_of(name: str, given: dict[str, Any], examples: int | None) -> Method:
    """The method, reading so many calibration examples where it reads some and ``given`` does not say.

    Raises ``UserError`` for an unknown one or a wrong parameter, and for one that trains weights.
    """
    method = load_method(name, given, f"--method {name}")
    if method.track is Track.TRAINED:
        raise UserError(
            f"--method {name}: trains weights, which `headroom prune` does not. List it with the model in a "
            "params.yaml that has a `recover` section, or take a method of another track; see `headroom list`."
        )
    reads = any(field.name == "examples" for field in fields(method.Params))
    if examples and reads and "examples" not in given:
        method = load_method(name, {**given, "examples": examples}, f"--method {name}")
    return method
