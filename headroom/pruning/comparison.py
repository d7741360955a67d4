"""The dense model beside the removed one, for the person who shrinks it: size, quality, agreement, speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from headroom import attention
from headroom.api import Grain, Plan
from headroom.config.speed import Speed, Work
from headroom.config.tasks import Task
from headroom.data.batches import batches
from headroom.evaluate import Evaluation, Settings, logit_difference
from headroom.measure.speed import speed_points
from headroom.pruning.subject import Subject
from headroom.results.aggregates import AGGREGATES
from headroom.terminal.layout import made

WORKS = {
    "translation": Work(kind="encode", batch=8, length=32),
    "classification": Work(kind="encode", batch=8, length=64),
    "image-classification": Work(kind="images", batch=8),
    "language": Work(kind="prefill", batch=1, length=128),
}


def comparison(method: str, subject: Subject, smaller: Any, plan: Plan, collator: Any, saved: Path) -> Table:
    """Dense beside removed: size, quality where a task is named, agreement with the mask, speed."""
    table = made(f"{method}, {len(plan.drop)} units removed", "", "dense", "removed", "")
    task = subject.task
    batch = next(iter(batches(subject.splits["calibrate"], collator, 8))) if task else None
    sizes(table, subject.model, smaller)
    if task and batch:
        quality(table, subject, smaller, task)
        difference = logit_difference(subject.changed, smaller, plan.drop, batch)
        table.add_row("largest logit difference, masked against removed", "", f"{difference:.1e}", "")
    speed(table, subject, smaller)
    table.caption = f"saved to {saved}; load it with headroom.attention.load_removed({str(saved)!r})"
    table.caption_justify = "left"
    return table


def sizes(table: Table, dense: Any, removed: Any) -> None:
    for name, count in (("parameters", parameters), ("attention parameters", attention_parameters)):
        whole, left = count(dense), count(removed)
        table.add_row(name, f"{whole:,}", f"{left:,}", f"{left / whole - 1:+.1%}")


def parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def attention_parameters(model: Any) -> int:
    plan = attention.anatomy(model)
    sites = plan.units((Grain.ATTENTION,))
    return sum(plan.parameters(unit) for unit in sites)


def quality(table: Table, subject: Subject, smaller: Any, task: Task) -> None:
    settings = Settings.of(subject.spec, subject.contract.length)
    evaluation = Evaluation([(task, subject.splits["evaluate"])], subject.contract, settings)
    whole, left = (evaluation.score(model)[task.name] for model in (subject.model, smaller))
    value: Callable[[Any], float] = lambda scores: float(AGGREGATES[scores.aggregate](scores.stats.sum(axis=0)))  # noqa: E731
    name = f"{task.name}, {task.metric.name} ({task.metric.better} is better, {len(whole.stats)} examples)"
    table.add_row(name, f"{value(whole):.3f}", f"{value(left):.3f}", f"{value(left) - value(whole):+.3f}")


def speed(table: Table, subject: Subject, smaller: Any) -> None:
    work = WORKS[subject.purpose]
    settings = Speed(pairs=25, works={})
    point = speed_points(subject.model, [(0.0, 0, "", "", smaller)], [work], settings)[0]
    interval = f"{point.speedup:.2f}x ({point.speedup_low:.2f} to {point.speedup_high:.2f})"
    name = f"{work.kind}, batch {work.batch}" + (f" x {work.length} tokens" if work.length else "") + ", ms, one thread"
    table.add_row(name, f"{point.dense_ms:.2f}", f"{point.removed_ms:.2f}", interval)
