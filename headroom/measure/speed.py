"""Every workload of a model, dense against removed, as records."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from headroom.evaluate.scores import as_found
from headroom.measure.ceilings import bound, ceilings_of, ideal
from headroom.measure.clock import Clock, clock_for
from headroom.measure.extras import compiled_ratio, joules, largest_batch
from headroom.measure.memory import saved_peak_mb
from headroom.measure.paired import Paired, compare
from headroom.measure.work import Cached, Task, task
from headroom.results.speed_records import Machine, SpeedPoint

if TYPE_CHECKING:
    from headroom.config.speed import Work
    from headroom.measure.counter import Cost

MIDDLE = 0.5  # the target at which what takes a process or a compilation of its own is measured too


class Removed(NamedTuple):
    """A removed model and whose it is."""

    target: float
    seed: int
    label: str
    plan_hash: str
    model: Any
    natural: str = ""


class Settings(Protocol):
    """What is read of ``params.yaml: speed``."""

    @property
    def pairs(self) -> int: ...
    @property
    def most_pairs(self) -> int: ...
    @property
    def memory_gib(self) -> float | None: ...


@dataclass(frozen=True)
class Side:
    """A model at work."""

    model: Any
    work: Work
    task: Task

    @cached_property
    def counted(self) -> tuple[Cost, Cached]:
        """One call more, counted: its cost with the bytes of the cache, and what the cache holds."""
        from headroom.measure.counter import cost

        results: list[Any] = []
        found = cost(lambda: results.append(self.task.call()), self.model)
        cached = self.task.cached(results.pop())
        return replace(found, bytes=found.bytes + round(cached.moved)), cached


def speed_points(
    dense: Any,
    removed: Sequence[tuple[Any, ...]],
    works: Sequence[Work],
    settings: Settings,
    clock: Clock | None = None,
    machine: Machine | None = None,
    footprint: Callable[[Any, Work], float | None] = saved_peak_mb,
) -> list[SpeedPoint]:
    """Time removed models (fields of ``Removed``) against the dense one; all of them share one series of dense calls.

    Wall-clock ratios use the number of torch threads at the time of the call, which is left as it was. Ceilings are
    those of ``machine``, or are measured here. ``footprint`` gives a model's peak memory in a fresh process, MiB.
    """
    points = []
    for work in works:
        entries = [Removed(*entry) for entry in removed]
        entries = [entry._replace(model=in_dtype(entry.model, work.dtype)) for entry in entries]
        whole = in_dtype(dense, work.dtype)
        with ExitStack() as stack:
            for model in (whole, *(entry.model for entry in entries)):
                stack.enter_context(as_found(model))
            points += timed(whole, entries, work, settings, clock or clock_for(dense.device), machine, footprint)
    return points


def in_dtype(model: Any, dtype: str | None) -> Any:
    """The model itself, or a copy in another number format."""
    if dtype is None or str(model.dtype) == f"torch.{dtype}":
        return model
    import torch

    return copy.deepcopy(model).to(getattr(torch, dtype))


def timed(
    dense: Any,
    removed: Sequence[Removed],
    work: Work,
    settings: Settings,
    clock: Clock,
    machine: Machine | None,
    footprint: Callable[[Any, Work], float | None],
) -> list[SpeedPoint]:
    """The points of one workload, one for each removed model."""
    whole = Side(dense, work, task(dense, work))
    sides = [Side(entry.model, work, task(entry.model, work)) for entry in removed]
    calls = [side.task.call for side in sides]
    on_gpu = dense.device.type == "cuda"  # events time the device alone, so one series serves both clocks
    pairs = compare(whole.task.call, calls, settings.pairs, clock, 1 if on_gpu else None, settings.most_pairs)
    peak = footprint(dense, work) if work.memory and any(entry.target == MIDDLE for entry in removed) else None
    points = []
    for entry, side, pair in zip(removed, sides, pairs, strict=True):
        facts = timings(pair, side) | counts(whole, side, machine) | extras(entry, whole, side, settings, clock)
        if work.memory and entry.target == MIDDLE:
            facts |= {"memory_mb": footprint(entry.model, work), "dense_memory_mb": peak}
        facts |= {name: value for name, value in entry._asdict().items() if name != "model"}
        facts["dtype"] = str(entry.model.dtype).removeprefix("torch.")
        points.append(SpeedPoint(work=work.kind, batch=work.batch, length=work.length, new=work.new, **facts))
    return points


def timings(pair: Paired, side: Side) -> dict[str, Any]:
    return {
        "pairs": pair.pairs,
        "speedup": pair.ratio,
        "speedup_low": pair.low,
        "speedup_high": pair.high,
        "wall_speedup": pair.wall_ratio,
        "dense_ms": pair.dense_ms,
        "removed_ms": pair.removed_ms,
        "per_second": 1000 * side.task.items / pair.removed_wall_ms,
        "noisy": pair.noisy,
        "samples": [round(float(ratio), 4) for ratio in pair.samples],
    }


def counts(whole: Side, side: Side, machine: Machine | None) -> dict[str, Any]:
    """What was counted on both sides, and the speed-up that it predicts on this machine."""
    (dense, dense_cached), (removed, cached) = whole.counted, side.counted
    ceilings = ceilings_of(machine, side.model.device, side.model.dtype)
    return {
        "ideal": ideal(dense, removed, ceilings),
        "bound": bound(removed, ceilings)[1],
        "dense_macs": dense.macs,
        "macs": removed.macs,
        "dense_bytes_moved": dense.bytes,
        "bytes_moved": removed.bytes,
        "dense_kv_bytes_per_token": dense_cached.per_token,
        "kv_bytes_per_token": cached.per_token,
        "predicted_memory_mb": predicted_memory_mb(side),
    }


def predicted_memory_mb(side: Side) -> float:
    """Weights, buffers, and the tensors of one call with its cache, MiB."""
    tensors = [*side.model.parameters(), *side.model.buffers()]
    return float(sum(tensor.nbytes for tensor in tensors) + side.counted[0].memory) / 2**20


def extras(entry: Removed, whole: Side, side: Side, settings: Settings, clock: Clock) -> dict[str, Any]:
    """Compiled speed-up where it is asked for; energy and the largest batch on a GPU."""
    facts: dict[str, Any] = {}
    if side.work.compiled and entry.target == MIDDLE:
        facts |= compiled_ratio(whole.model, side.model, side.work, settings.pairs, clock)
    taken = joules(side.task.call, side.model.device)
    if taken is not None:
        facts |= {"joules": taken, "dense_joules": joules(whole.task.call, whole.model.device)}
    if settings.memory_gib and side.model.device.type == "cuda" and entry.target == MIDDLE:
        batches = [largest_batch(one.model, one.work, settings.memory_gib) for one in (whole, side)]
        facts |= dict(zip(("dense_largest_batch", "largest_batch"), batches, strict=True))
    return facts
