"""The speed columns of the leaderboard: the one workload that stands for a model, at one operating point."""

from __future__ import annotations

from statistics import median
from typing import Any

from headroom.results.curves import Step
from headroom.results.load import Records
from headroom.results.records import SpeedPoint

# Whole answers before parts of them: a reader cares about the request, not about one of its phases.
WORKS = ("generate", "prefill", "encode", "images", "decode")


def _places(points: list[SpeedPoint]) -> list[tuple[int, int, int, str, str]]:
    found = {(p.work, p.batch, p.length, p.dtype) for p in points}
    return sorted((WORKS.index(work), -batch, -length, dtype, work) for work, batch, length, dtype in found)


def main_work(records: Records, machine: str, model: str) -> tuple[str, int, int, str] | None:
    """(work, batch, length, dtype) that all methods of a model are compared on: the largest of its first kind."""
    points = [p for key, record in records.speeds.items() if key[:2] == (machine, model) for p in record.points]
    if not points:
        return None
    _, batch, length, dtype, work = _places(points)[0]
    return work, -batch, -length, dtype


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
