"""Quality and floor rows: one for every point and task, and one for everything that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headroom.results.load import DENSE, Records
from headroom.results.records import Agreement, CellRecord, Point
from headroom.results.rows import FloorRow, QualityRow

FLOOR = "floor:"
TESTED_BELOW = 0.5  # retained quality; above it a kind can go and the model hardly notices
SCORES = [name for name in Agreement.model_fields]
SIZES = [
    "units",
    "units_removed",
    "attention_parameters_removed",
    "parameters_removed",
    "macs",
    "kv_bytes_per_token",
    "logit_difference",
]


def quality_rows(records: Records) -> Iterator[QualityRow]:
    """Every point of every listed cell, in the order of the lists; failed and missing ones are rows too."""
    for model, method in records.pairs():
        record = records.cells.get((model, method))
        for values in _cell(records, model, method, record):
            yield QualityRow.checked(values, records.path(model, method))


def _cell(records: Records, model: str, method: str, record: CellRecord | None) -> Iterator[dict[str, Any]]:
    base: dict[str, Any] = {"model": model, "method": method, "setting": records.setting, "quality": records.quality}
    tasks = records.tasks(model) or [""]
    if record is None:
        reason = "No record was found; run `dvc repro` to make it."
        yield from (base | {"task": task, "status": "missing", "reason": reason} for task in tasks)
        return
    base |= {"grains": "+".join(record.grains)}
    if record.status != "ok" and not record.points:
        yield from (base | {"task": task, "status": record.status, "reason": record.reason} for task in tasks)
    for point in sorted(record.points, key=lambda point: (point.label, point.target, point.seed)):
        for task in tasks:
            metric = record.tasks[task].metric if task in record.tasks else ""
            yield base | {"task": task, "metric": metric} | _point(point, task)


def _point(point: Point, task: str) -> dict[str, Any]:
    names = ["target", "seed", "label", "natural", "updates", "status", "reason", "note", "plan_hash"]
    values = {name: getattr(point, name) for name in names}
    if point.status != "ok":
        return values
    values |= {name: getattr(point, name) for name in SIZES}
    values["units_removed_share"] = point.units_removed / point.units if point.units else 0.0
    score = point.tasks.get(task)
    if score is None:
        return values | {"status": "missing", "reason": "The point holds no score for this task."}
    return values | {name: getattr(score, name) for name in SCORES if hasattr(score, name)}


def floor_rows(records: Records) -> Iterator[FloorRow]:
    """One row per (model, kind, task); of several records with the same kind, the dense one's counts."""
    order = sorted(records.methods, key=lambda name: name != DENSE)
    for model in records.models:
        seen: set[tuple[str, str]] = set()
        for method in order:
            record = records.cells.get((model, method))
            if record is None:
                continue
            for point in record.points:
                if not point.label.startswith(FLOOR):
                    continue
                kind = point.label.removeprefix(FLOOR)
                for task in records.tasks(model):
                    if (kind, task) not in seen:
                        seen.add((kind, task))
                        values = _floor(point, task) | {"model": model, "method": method, "kind": kind, "task": task}
                        values["metric"] = record.tasks[task].metric if task in record.tasks else ""
                        yield FloorRow.checked(values, records.path(model, method))


def _floor(point: Point, task: str) -> dict[str, Any]:
    score = point.tasks.get(task)
    if point.status != "ok" or score is None:
        status = point.status if point.status != "ok" else "missing"
        return {"status": status, "reason": point.reason or "The point holds no score for this task."}
    names = ["value", "low", "high", "retained", "retained_low", "retained_high"]
    return {
        "status": "ok",
        "attention_parameters_removed": point.attention_parameters_removed,
        "tested": score.retained <= TESTED_BELOW,
        **{name: getattr(score, name) for name in names},
    }
