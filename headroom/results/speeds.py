"""Speeds in the tables: a throughput row for every timed workload, and the leaderboard's columns at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from headroom.results.curves import Step
from headroom.results.load import DENSE, Records
from headroom.results.rows import ThroughputRow
from headroom.results.speed_records import SpeedPoint

LEAST_CLAIM = 0.05  # no difference under 5 % is claimed
COPIED = [name for name in SpeedPoint.model_fields if name != "plan_hash"]
# Whole answers before parts of them: a reader cares about the request, not about one of its phases.
WORKS = ("generate", "prefill", "encode", "images", "decode")


def throughput_rows(records: Records) -> Iterator[ThroughputRow]:
    """Rows of all machines; the interleaved dense runs are inside every pair, so dense has no row of its own."""
    for machine, facts in records.machines.items():
        base = {"machine": machine, "processor": facts.accelerator or facts.processor}
        for model, method in records.pairs():
            path = records.folder / "speed" / machine / model / f"{method}.json"
            record = records.speeds.get((machine, model, method))
            cell = base | {"model": model, "method": method}
            if record is None:
                if method != DENSE and any(key[0] == machine for key in records.speeds):
                    reason = "No speed record of this cell on this machine."
                    yield ThroughputRow.checked(cell | {"status": "missing", "reason": reason}, path)
                continue
            if not record.points:
                yield ThroughputRow.checked(cell | {"status": record.status, "reason": record.reason}, path)
            for point in sorted(record.points, key=lambda p: (p.work, p.batch, p.length, p.label, p.target, p.seed)):
                yield ThroughputRow.checked(cell | _timed(point), path)


def _timed(point: SpeedPoint) -> dict[str, Any]:
    values = {name: getattr(point, name) for name in COPIED}
    samples = " ".join(f"{ratio:.4f}" for ratio in point.samples)
    return values | {"status": "ok", "samples": samples, "realised": realised(point), "claimed": claimed(point)}


def realised(point: SpeedPoint) -> float | None:
    """How much of the predicted speed-up was measured; unknown where none can be predicted."""
    return point.speedup / point.ideal if point.ideal else None


def claimed(point: SpeedPoint) -> bool:
    """Whether the page may speak of a difference: 5 % or more, and the whole interval on that side."""
    faster = point.speedup >= 1 + LEAST_CLAIM and point.speedup_low > 1
    slower = point.speedup <= 1 - LEAST_CLAIM and point.speedup_high < 1
    return (faster or slower) and not point.noisy


def main_machine(records: Records) -> str:
    """The machine of the leaderboard's speed columns: most speed records, then first by name; empty without any."""
    refused = {key for key, record in records.speeds.items() if record.status == "failed" and not record.points}
    counts = {name: sum(key[0] == name and key not in refused for key in records.speeds) for name in records.machines}
    counts = {name: count for name, count in counts.items() if count}
    return min(counts, key=lambda name: (-counts[name], name), default="")


def main_work(records: Records, machine: str, model: str) -> tuple[str, int, int, str] | None:
    """(work, batch, length, dtype) that all methods of a model are compared on: the largest of its first kind."""
    points = (p for key, record in records.speeds.items() if key[:2] == (machine, model) for p in record.points)
    found = {(p.work, p.batch, p.length, p.dtype) for p in points}
    return min(found, key=lambda one: (WORKS.index(one[0]), -one[1], -one[2], one[3]), default=None)


def work_of(records: Records, machine: str, model: str) -> str:
    """The main workload in words; empty when the model was not timed on the machine."""
    found = main_work(records, machine, model)
    if found is None:
        return ""
    work, batch, length, dtype = found
    return f"{work}, batch {batch}" + (f", length {length}" if length else "") + f", {dtype}"


def speed_columns(
    records: Records, machine: str, model: str, method: str, name: str, step: Step, dense: Step
) -> dict[str, Any]:
    """What one step removes and what that was measured to buy; speeds stay empty when the step was not timed."""
    values: dict[str, Any] = {
        f"target_{name}": step.target,
        f"attention_{name}": step.attention,
        f"parameters_{name}": step.parameters,
        f"kv_bytes_{name}": dense.kv_bytes - step.kv_bytes if dense.kv_bytes else None,
    }
    record = records.speeds.get((machine, model, method))
    work = main_work(records, machine, model)
    points = [
        point
        for point in (record.points if record else ())
        if (point.work, point.batch, point.length, point.dtype) == work and not point.label and _times(point, step)
    ]
    if points and step.target > 0:
        for column in ("speedup", "speedup_low", "speedup_high", "ideal"):
            known = [value for point in points if (value := getattr(point, column)) is not None]
            values[f"{column}_{name}"] = median(known) if known else None
    return values


def _times(point: SpeedPoint, step: Step) -> bool:
    """A point of the method's own is joined by its name: its target is what one seed removed, the step's is a mean."""
    if point.natural or step.natural:
        return point.natural == step.natural
    return abs(point.target - step.target) < 1e-9
