"""The record of a cell and its per-example scores: written, left alone where nothing changed, forgotten when stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from headroom.config.params import Params
from headroom.config.registry import file_of, short, summary
from headroom.errors import UserError
from headroom.measure.machine import machine
from headroom.pipeline.cell import Cell
from headroom.pipeline.points import Measured, Scoring, failed
from headroom.results import stats
from headroom.results.files import finding, write
from headroom.results.places import read_cell
from headroom.results.records import CellRecord, Cost
from headroom.results.write import write_json

WHEN = {"provenance": {"commit", "dirty", "date"}}  # when a number was made says nothing about it


def recorded(cell: Cell, scoring: Scoring, family: str) -> CellRecord:
    """Write the record of a cell and its scores, failed points beside the good ones."""
    known, found = who(cell, family), list[Measured]()
    if cell.trouble:
        outcome: dict[str, Any] = {"status": "failed", "reason": cell.trouble}
    elif cell.declared and cell.declared.out_of_reach:
        outcome = {"status": "unsupported", "reason": cell.declared.out_of_reach}
    else:
        try:
            outcome, found = measured(cell, scoring)
        except stats.NoSkill as error:  # nothing to retain: the cell says so, the other models go on
            outcome = {"status": "failed", "reason": f"{cell.run.name}: {str(error).rstrip('.')}."}
    if unsure := sorted({operation for one in found for operation in one.unsure}):
        known["provenance"] = known["provenance"].model_copy(update={"unsure": unsure})
    try:
        record = CellRecord.model_validate(known | outcome)
    except ValidationError as error:  # a method that contradicts itself: nobody would believe its points
        record = CellRecord.model_validate(known | {"status": "failed", "reason": f"{known['file']}: {finding(error)}"})
        found = []
    params = cell.run.params
    save_scores(found, params.scores(cell.run.name, cell.name))
    save_answers(found, params.scores(cell.run.name, cell.name).with_suffix(".json"))
    return kept(params.quality_record(cell.run.name, cell.name), record)


def measured(cell: Cell, scoring: Scoring) -> tuple[dict[str, Any], list[Measured]]:
    """Status, tasks, costs and points of a cell within reach, and the points with what is behind them."""
    found = [scoring.measured(cell, asked) for asked in cell.asked()]
    units = cell.declared.units if cell.declared else 0
    for seed, plans in cell.plans.items():
        for target, why in plans["missing"]:
            names = {"target": max(target, 0), "seed": seed, "setting": cell.home}
            found.append(Measured(failed(why, units, **names)))
    found.sort(key=lambda one: (one.point.setting, one.point.seed, one.point.label, one.point.target))
    points = [one.point for one in found]
    troubles = [point.reason for point in points if point.status != "ok"]
    if not points:
        troubles = ["The method yielded no plan, and nothing says why."]
    outcome = {
        "status": "failed" if troubles else "ok",
        "reason": troubles[0] if troubles else "",
        "tasks": scoring.task_facts(),
        "agreement": scoring.agreement_facts(),
        "costs": [Cost(**plans["cost"]) for _, plans in sorted(cell.plans.items()) if plans["cost"]],
        "points": points,
    }
    return outcome, found


def who(cell: Cell, family: str) -> dict[str, Any]:
    """Who the cell is and how to get it again. Of a method that could not say who it is, its file's first line."""
    run, said = cell.run, cell.declared
    entry = run.params.entry(cell.name)
    file = file_of(cell.name, entry, f"{run.where}: methods.{cell.name}")
    return {
        "profile": run.params.profile,
        "method": cell.name,
        "title": said.title if said else cell.name,
        "paper": said.paper if said else "none",
        "track": str(said.track) if said else "forward",
        "file": short(file),
        "summary": summary(file),
        "stochastic": said.stochastic if said else False,
        "calibrated": said.calibrated if said else None,
        "parameters": said.parameters if said else {},
        "model": run.name,
        "family": family,
        "natural": said.natural if said else False,
        "grains": [str(grain) for grain in said.grains] if said else [],
        "provenance": run.provenance("measure", machine(run.params.run.threads, run.device).fingerprint),
    }


def kept(path: Path, record: CellRecord) -> CellRecord:
    """Write a record, unless the one that is there says the same: then it stays with the commit that measured it."""
    try:
        before = read_cell(path, record.profile, record.model, record.method)
    except (UserError, OSError):
        before = None
    if before is not None and before.model_dump(exclude=WHEN) == record.model_dump(exclude=WHEN):
        return record.model_copy(update={"provenance": before.provenance})
    write(path, record)
    return record


def save_scores(found: list[Measured], path: Path) -> None:
    """Statistics per example of every good point, for paired tests between methods, in as few bytes as hold them."""
    arrays = {
        f"{task}/{one.point.setting}/{one.point.seed}/{one.point.label}/{one.point.place}": packed(values)
        for one in found
        for task, values in one.stats.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def packed(values: np.ndarray) -> np.ndarray:
    """The same numbers in the smallest type that holds all of them exactly."""
    with np.errstate(invalid="ignore", over="ignore"):
        smaller = (values.astype(kind) for kind in (np.uint8, np.int32, np.float32))
        return next((one for one in smaller if np.array_equal(one, values)), values)


def save_answers(found: list[Measured], path: Path) -> None:
    """What the model says to the first examples at every good point, and what these are where nothing is removed."""
    said = [
        {"setting": one.point.setting, "seed": one.point.seed, "place": one.point.place, "said": one.said}
        for one in found
        if one.said and not one.point.label
    ]
    shown = next((one.shown for one in found if one.shown), {})
    write_json(path, {"points": said, "shown": shown})


def forget(params: Params, only: str = "*") -> list[Path]:
    """Take away records, of one model or of all, that nobody may publish; gives their paths.

    Those of methods and models that left params.yaml, or of which one is not asked of the other any more, and failed
    ones: what failed is asked again by the next run, so no failure is kept as if it were a result.
    """
    gone = []
    for path in sorted((params.results / "quality").glob(f"{only}/*.json")):
        model, method = path.parent.name, path.stem
        listed = model in params.models and method in params.methods and params.asks(model, method)
        if listed and not has_failed(params, path):
            continue
        scores = params.scores(model, method)
        for file in (path, scores, scores.with_suffix(".json"), params.speed_record(model, method)):
            file.unlink(missing_ok=True)
        gone.append(path)
    for path in [] if only != "*" else sorted((params.results / "speed").glob("*/*/*.json")):
        model, method = path.parent.name, path.stem
        if model not in params.models or method not in params.methods or not params.asks(model, method):
            path.unlink()
            gone.append(path)
    return gone


def has_failed(params: Params, path: Path) -> bool:
    """Whether a record is of a failed cell, or cannot be believed."""
    try:
        return read_cell(path, params.profile, path.parent.name, path.stem).status == "failed"
    except UserError:
        return True
