"""One (method, model) of a profile while it is measured: what the method declares, its plans, and their points."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import comb
from pathlib import Path
from typing import Any

from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.questions import Declared, PlanQuestion, PointQuestion, planned_by
from headroom.pipeline.working import Trouble
from headroom.results.records import Setting

logger = logging.getLogger(__name__)

COINCIDENCE = 10**6  # draws that agree by a smaller chance than one in so many are no draws

Plan = dict[str, Any]  # as ``plans.written`` writes it


@dataclass(frozen=True)
class Asked:
    """A point before it is measured: a plan in a setting, and the question behind it."""

    plan: Plan
    setting: Setting
    seed: int
    question: PointQuestion


@dataclass
class Cell:
    """A method on a model. ``trouble`` is why there is nothing to measure, where the method itself is to blame."""

    run: ModelRun
    name: str
    declared: Declared | None = None
    trouble: str = ""
    plans: dict[int, dict[str, Any]] = field(default_factory=dict)  # by seed, as ``plans.asked`` gives them
    fresh: int = 0  # points measured now and not found in the journal

    @property
    def within_reach(self) -> bool:
        return self.declared is not None and not self.declared.out_of_reach

    @property
    def seeds(self) -> tuple[int, ...]:
        """Draws for a random method, calibration seeds otherwise, one where neither changes anything."""
        wanted = self.run.params.run
        if self.declared is None or not (self.declared.stochastic or self.declared.calibrated):
            return wanted.seeds[:1]
        return tuple(range(wanted.draws)) if self.declared.stochastic else wanted.seeds

    def declare(self, answer: Declared | Trouble) -> None:
        """Note what the method says of itself, or why it says nothing."""
        if isinstance(answer, Declared):
            self.declared = answer
        else:
            self.trouble = f"{self.run.where}: methods.{self.name}: {answer.reason}"
            logger.warning("%s", answer.trace or self.trouble)

    def recall(self) -> list[PlanQuestion]:
        """Take the plans that the journal has; gives questions for the others.

        The draws of a random method cost next to nothing, so they are one question; seeds of others are one each.
        """
        if not self.within_reach:
            return []
        journal = self.run.journal
        stored = {seed: journal.read(self.kept_at(seed)) for seed in self.seeds}
        self.plans = {seed: plans for seed, plans in stored.items() if plans is not None and at_hand(plans)}
        left = tuple(seed for seed in self.seeds if seed not in self.plans)
        together = self.declared is not None and self.declared.stochastic
        groups = [left] if together and left else [(seed,) for seed in left]
        return [PlanQuestion(self.run, self.name, seeds) for seeds in groups]

    def take(self, question: PlanQuestion, answer: dict[int, dict[str, Any]] | Trouble) -> None:
        """Note the plans of some seeds, in the journal too where the method answered in full."""
        assert self.declared
        if isinstance(answer, Trouble):
            why = f"{self.declared.file}: {answer.reason}"
            logger.warning("%s", answer.trace or why)
            missing = [(target, why) for target in self.run.params.run.targets]
            answer = {seed: {"plans": [], "missing": missing, "cost": None} for seed in question.seeds}
        for seed, plans in answer.items():
            self.plans[seed] = plans
            if not plans["missing"]:
                self.run.journal.write(self.kept_at(seed), plans)

    def complete(self) -> None:
        """All plans are there: a method that they contradict has none."""
        if denied := self.denied:
            self.plans, self.trouble = {}, denied

    @property
    def denied(self) -> str:
        """What the plans of all seeds say against the method's declarations, as a sentence; empty where nothing."""
        if self.declared is None or not self.declared.stochastic or len(self.plans) < 2:
            return ""
        units, drawn = self.declared.units, [[plan["drop"] for plan in one["plans"]] for one in self.plans.values()]
        ways = max((comb(units, len(drop)) for drop in drawn[0]), default=1)  # to choose so many of the units
        if all(draw == drawn[0] for draw in drawn) and ways ** (len(drawn) - 1) > COINCIDENCE:
            return f"{self.declared.file}: declares stochastic = True, and {len(drawn)} draws gave the same plans."
        return ""

    def kept_at(self, seed: int) -> Path:
        """Where the journal keeps the plans of a seed."""
        return self.run.journal.path("plans", planned_by(self.run, self.name, seed))

    def asked(self) -> Iterator[Asked]:
        """Every point of the cell: each plan in the settings that it is measured in."""
        for seed, answered in sorted(self.plans.items()):
            for plan in answered["plans"]:
                for setting in self.settings(plan):
                    yield Asked(plan, setting, seed, self.question(plan, setting, seed))

    def settings(self, plan: Plan) -> list[Setting]:
        """In which settings a plan is a point. A method that trains is never "as is"; labels are not recovered."""
        recover = self.run.recover
        targets = recover and (recover.targets or self.run.params.run.targets)
        recovered = targets and (plan["natural"] or plan["label"] or plan["target"] in (0.0, *targets))
        if self.declared and self.declared.trains:
            return ["recovered"] if recovered else []
        return ["as is", "recovered"] if recovered and not plan["label"] else ["as is"]

    def question(self, plan: Plan, setting: Setting, seed: int) -> PointQuestion:
        """What has to be measured for a point. Floors are not recovered.

        A draw changes which units go and not what is learned afterwards: every draw learns with the first calibration
        seed, as the methods do that it is compared with, and draws that hit the same units are one measurement.
        """
        steps = 0 if setting == "as is" or plan["label"] else plan["left"]
        if self.declared and self.declared.stochastic:
            seed = self.run.params.run.seeds[0]
        return PointQuestion(self.run, tuple(plan["drop"]), plan["weights"], steps, seed if steps else 0)

    @property
    def home(self) -> Setting:
        """The setting in which a plan that is missing would have been a point."""
        return "recovered" if self.declared and self.declared.trains else "as is"


def at_hand(plans: dict[str, Any]) -> bool:
    """Whether the weights that plans were made for are still there."""
    return all(Path(plan["weights"]).is_file() for plan in plans["plans"] if plan["weights"])


def dense_questions(run: ModelRun) -> list[PointQuestion]:
    """Point zero of each setting that a model is measured in."""
    return [dense_question(run, setting) for setting in settings_of(run)]


def settings_of(run: ModelRun) -> list[Setting]:
    """The settings that a model is measured in."""
    return ["as is", "recovered"] if run.recover else ["as is"]


def dense_question(run: ModelRun, setting: Setting) -> PointQuestion:
    """Point zero: nothing removed; in the recovered setting the dense model gets all update steps."""
    steps = run.recover.steps if run.recover and setting == "recovered" else 0
    return PointQuestion(run, (), "", steps, 0)
