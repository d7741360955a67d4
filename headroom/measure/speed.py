"""Every workload of a model, dense against removed, as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from headroom.evaluate.scores import as_found
from headroom.measure.clock import Clock, clock_for
from headroom.measure.paired import Paired, compare
from headroom.measure.work import Task, Work, task
from headroom.records import SpeedPoint

Removed = tuple[float, int, str, str, Any]  # target, seed, label, plan hash, model


class Settings(Protocol):
    """What is read of ``params.yaml: speed``."""

    @property
    def pairs(self) -> int: ...


def speed_points(
    dense: Any, removed: Sequence[Removed], works: Sequence[Work], settings: Settings, clock: Clock | None = None
) -> list[SpeedPoint]:
    """Time removed models against the dense one on every workload; all of them share one series of dense calls.

    Wall-clock ratios use the number of torch threads at the time of the call, which is left as it was.
    """
    points = []
    for work in works:
        points += timed(dense, removed, work, settings.pairs, clock or clock_for(dense.device))
    return points


def timed(dense: Any, removed: Sequence[Removed], work: Work, pairs: int, clock: Clock) -> list[SpeedPoint]:
    """The points of one workload, one for each removed model."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        for model in (dense, *(entry[-1] for entry in removed)):
            stack.enter_context(as_found(model))
        whole = task(dense, work)
        tasks = [task(entry[-1], work) for entry in removed]
        found = compare(whole.call, [one.call for one in tasks], pairs, clock)
    return [
        speed_point(entry, work, pairs, whole, one, pair)
        for entry, one, pair in zip(removed, tasks, found, strict=True)
    ]


def speed_point(entry: Removed, work: Work, pairs: int, whole: Task, one: Task, pair: Paired) -> SpeedPoint:
    """One record."""
    target, seed, label, plan_hash, model = entry
    return SpeedPoint(
        target=target,
        label=label,
        seed=seed,
        plan_hash=plan_hash,
        work=work.kind,
        batch=work.batch,
        length=work.length,
        dtype=str(model.dtype).removeprefix("torch."),
        pairs=pairs,
        speedup=pair.ratio,
        speedup_low=pair.low,
        speedup_high=pair.high,
        wall_speedup=pair.wall_ratio,
        dense_ms=pair.dense_ms,
        removed_ms=pair.removed_ms,
        ideal=whole.cost / one.cost,
        per_second=1000 * one.items / pair.removed_wall_ms,
        noisy=pair.noisy,
    )
