"""The dense model beside the removed one, for the person who shrinks it: size, quality, speed."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from headroom.config.speed import Work
from headroom.config.tasks import Task
from headroom.pruning.trials import Sizes, Timing, Trial, said_of
from headroom.results.records import TaskScore
from headroom.site.numbers import size
from headroom.terminal.layout import made


def comparison(
    method: str, dense: Sizes, trial: Trial, task: Task | None, work: Work, difference: float | None, saved: Path
) -> Table:
    """Dense beside removed; ``difference`` is the largest of logits between the masked model and the saved one."""
    table = made(f"{method}, {len(trial.step.drop)} units removed", "", "dense", "removed", "")
    assert trial.sizes is not None
    sizes(table, dense, trial.sizes)
    if task and trial.score:
        quality(table, task, trial.score)
    if difference is not None:
        table.add_row("largest logit difference, masked against removed", "", f"{difference:.1e}", "")
    if trial.timing:
        speed(table, work, trial.timing)
    table.caption = f"saved to {saved}; `headroom inspect {saved}` says what it is"
    table.caption_justify = "left"
    return table


def sizes(table: Table, dense: Sizes, removed: Sizes) -> None:
    counts = (
        ("parameters", dense.parameters, removed.parameters),
        ("attention parameters", dense.attention_parameters, removed.attention_parameters),
    )
    for name, whole, left in counts:
        table.add_row(name, f"{whole:,}", f"{left:,}", f"{left / whole - 1:+.1%}")
    name = "memory, predicted, of weights and one call"
    table.add_row(name, size(dense.memory), size(removed.memory), f"{removed.memory / dense.memory - 1:+.1%}")
    if dense.kv and removed.kv is not None:
        table.add_row("cache of a token", size(dense.kv), size(removed.kv), f"{removed.kv / dense.kv - 1:+.1%}")


def quality(table: Table, task: Task, score: TaskScore) -> None:
    name = f"{task.name}, {task.metric.name} ({task.metric.better} is better, {score.examples} examples)"
    dense = score.value - score.difference
    change = f"{score.difference:+.3f} ({score.difference_low:+.2f} to {score.difference_high:+.2f})"
    table.add_row(name, f"{dense:.3f}", f"{score.value:.3f}", change)


def speed(table: Table, work: Work, timing: Timing) -> None:
    interval = f"{timing.speedup:.2f}x ({timing.low:.2f} to {timing.high:.2f})"
    name = f"{said_of(work)}, ms, one thread"
    table.add_row(name, f"{timing.dense_ms:.2f}", f"{timing.removed_ms:.2f}", interval)
