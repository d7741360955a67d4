"""The dense model beside the smaller one, for the person who shrinks it: size, quality, speed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from headroom.config.speed import Work
from headroom.config.tasks import Task
from headroom.pruning.trials import Sizes, Timing, Trial, said_of
from headroom.results.records import TaskScore
from headroom.site.numbers import size
from headroom.terminal.layout import made

Row = tuple[str, str, str, str]  # what it is, of the dense model, of the smaller one, and the change


def comparison(
    method: str, dense: Sizes, trial: Trial, task: Task | None, work: Work, difference: float | None, saved: Path
) -> Table:
    """A table of ``rows``."""
    table = made(f"{method}, {len(trial.step.drop)} units removed", "", "dense", "removed", "")
    for row in rows(dense, trial, task, work, difference):
        table.add_row(*row)
    table.caption = f"saved to {saved}; `headroom inspect {saved}` says what it is"
    table.caption_justify = "left"
    return table


def rows(dense: Sizes, trial: Trial, task: Task | None, work: Work, difference: float | None) -> Iterator[Row]:
    """What is known; ``difference`` is the largest of logits between the masked model and the smaller one."""
    assert trial.sizes is not None
    yield from sizes(dense, trial.sizes)
    if task and trial.score:
        yield quality(task, trial.score)
    if difference is not None:
        yield "largest logit difference, masked against removed", "", f"{difference:.1e}", ""
    if trial.timing:
        yield speed(work, trial.timing)


def sizes(dense: Sizes, removed: Sizes) -> Iterator[Row]:
    counts = (
        ("parameters", dense.parameters, removed.parameters),
        ("attention parameters", dense.attention_parameters, removed.attention_parameters),
    )
    for name, whole, left in counts:
        yield name, f"{whole:,}", f"{left:,}", f"{left / whole - 1:+.1%}"
    name = "memory, predicted, of weights and one call"
    yield name, size(dense.memory), size(removed.memory), f"{removed.memory / dense.memory - 1:+.1%}"
    if dense.kv and removed.kv is not None:
        yield "cache of a token", size(dense.kv), size(removed.kv), f"{removed.kv / dense.kv - 1:+.1%}"


def quality(task: Task, score: TaskScore) -> Row:
    name = f"{task.name}, {task.metric.name} ({task.metric.better} is better, {score.examples} examples)"
    dense = score.value - score.difference
    change = f"{score.difference:+.3f} ({score.difference_low:+.2f} to {score.difference_high:+.2f})"
    return name, f"{dense:.3f}", f"{score.value:.3f}", change


def speed(work: Work, timing: Timing) -> Row:
    interval = f"{timing.speedup:.2f}x ({timing.low:.2f} to {timing.high:.2f})"
    return f"{said_of(work)}, ms, one thread", f"{timing.dense_ms:.2f}", f"{timing.removed_ms:.2f}", interval
