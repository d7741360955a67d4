"""A method on one toy model: what it answers, asked once for all checks that want to know."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from headroom.api import Method, Plan, Unit
from headroom.attention import anatomy
from headroom.checks.toy_bench import ToyBench, toy_bench
from headroom.checks.watching import State, trapped
from headroom.config.registry import short
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.plans import Answer, ask
from headroom.pipeline.reach import refusal

TARGETS = (0.0, 0.25, 0.5, 0.75, 1.0)
SECONDS = 60.0
NO_PLANS = "There are no plans; see check_every_target_has_a_plan."


class NotApplicable(Exception):
    """There is nothing to look at; the message is a sentence that says why."""


@dataclass(frozen=True)
class Run:
    """One complete answer, and the state of the model and of the world before and after it."""

    answer: Answer
    ctx: HarnessContext
    before: State
    after: State


class Subject:
    """A method on the toy of one family. Every run is made when it is first asked for."""

    def __init__(self, method: Method, file: Path, family: str, bench: ToyBench | None = None) -> None:
        self.method, self.file, self.family = method, file, family
        self.bench = bench or toy_bench(family)

    @cached_property
    def out_of_reach(self) -> str:
        """One sentence when the method cannot do this model; empty when it can."""
        return refusal(self.method, anatomy(self.bench.model).info)

    @property
    def targets(self) -> tuple[float, ...]:
        return TARGETS

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """What the method is offered."""
        return self.bench.units(self.method.removes())

    def run(self, targets: Sequence[float], seed: int = 0, draw: int | None = None) -> Run:
        """Ask for plans, with a trap under all evaluation data."""
        ctx = self.bench.context(self.method, seed, draw=draw)
        before = State.of(ctx.model)
        with trapped():
            answer = ask(self.method, ctx, targets, short(self.file), SECONDS)
        return Run(answer, ctx, before, State.of(ctx.model))

    @cached_property
    def first(self) -> Run:
        return self.run(self.targets)

    @cached_property
    def again(self) -> Run:
        """The same question in a world whose global chance stands elsewhere."""
        with elsewhere(17):
            return self.run(self.targets)

    @cached_property
    def drawn_again(self) -> Run:
        """The same calibration examples and another seed."""
        return self.run(self.targets, draw=1)

    @property
    def plans(self) -> list[Plan]:
        """What was answered. Raises ``NotApplicable`` when it is nothing."""
        if not self.first.answer.plans:
            raise NotApplicable(NO_PLANS)
        return self.first.answer.plans

    @property
    def at_targets(self) -> list[Plan]:
        """The plans of the series that answer to targets, by target."""
        return sorted((plan for plan in self.plans if not plan.label and not plan.natural), key=lambda p: p.target)


@contextmanager
def elsewhere(seed: int) -> Iterator[None]:
    """The global random generators stand somewhere else inside the block, and where they were after it."""
    python: Any = random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
