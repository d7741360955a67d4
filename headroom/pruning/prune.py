"""Shrink a model of one's own from the command line: its files in, a folder and what is printed out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from rich.console import Console, ConsoleOptions, RenderableType

from headroom.errors import UserError
from headroom.pruning import before_after, frontier
from headroom.pruning.comparison import comparison
from headroom.pruning.examples import examples_of
from headroom.pruning.shrinking import Outcome, check, shrunk
from headroom.pruning.subject import Request, check_place, subject_of
from headroom.pruning.watching import watched
from headroom.pruning.writing import Written, written
from headroom.shipping import check_format

TASK = "Name a task with --task, or your own examples with --data and --kind; see `headroom list`."


@dataclass
class Result:
    """What is printed, and whether there is a smaller model."""

    parts: list[RenderableType] = field(default_factory=list)
    nothing: str = ""  # why there is none
    stopped: bool = False  # by Ctrl-C

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield from self.parts


def prune(request: Request) -> Result:
    """Write a smaller model that meets the budget to ``request.out``, if there is one, and return what was found.

    Raises ``UserError`` for a target outside (0, 1) or below one unit, an unknown method, task or model, a family that
    is not supported, and a method that needs calibration examples when no task is named. Nothing is written then.
    """
    if request.threads < 1:
        raise UserError(f"--threads is {request.threads}; one or more are wanted.")
    check_place(request.out)
    check_format(request.format)
    check(request, TASK)
    torch.set_num_threads(request.threads)
    subject = subject_of(request, *examples_of(request))
    with watched() as watch:
        outcome = shrunk(subject, request, watch)
        result = Result(tried(outcome), outcome.nothing, outcome.stopped)
        if outcome.taken:
            result.parts += told(outcome, written(outcome, request.out, request.format))
    return result


def tried(outcome: Outcome) -> list[RenderableType]:
    """A table for each method whose plans were searched."""
    task, sure = outcome.bench.subject.task, outcome.request.wanted.confidence
    return [
        frontier.table(
            attempt.request.method,
            attempt.trials,
            attempt.best if attempt is outcome.taken else None,
            sure,
            task.metric.name if task else "",
        )
        for attempt in outcome.tries
        if attempt.trials
    ]


def told(outcome: Outcome, found: Written) -> Iterator[RenderableType]:
    """The smaller model beside the dense one, and what loads it."""
    assert outcome.taken is not None
    bench, out = outcome.bench, outcome.request.out
    task, name = bench.subject.task, outcome.taken.request.method
    yield comparison(name, found.dense, found.found, task, bench.work, found.difference, out)
    if outcome.healed and task:
        yield from before_after.told(outcome.healed, task)
    yield f"It is {found.shipped.sentence}."
    yield from (f"Loaded again by {one}." for one in found.shipped.loaded)
    if outcome.stopped and outcome.healed is None:
        unhealed = " It was not healed." if outcome.request.heal else ""
        yield f"Stopped. {out} holds the best that was found until then.{unhealed}"
