"""The record of a cell and its per-example scores: written, left alone where nothing changed, forgotten when stale."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headroom.config.params import Params
from headroom.config.registry import file_of, short, summary
from headroom.errors import UserError
from headroom.measure.machine import machine
from headroom.pipeline.cell import Cell
from headroom.pipeline.points import Measured, Scoring, failed
from headroom.results import stats
from headroom.results.records import CellRecord, Cost, place, read, write

WHEN = {"provenance": {"commit", "dirty", "date"}}  # when a number was made says nothing about it


def recorded(cell: Cell, scoring: Scoring, family: str) -> CellRecord:
    """Write the record of a cell and its scores, failed points beside the good ones."""
    record, found = empty(cell, family), list[Measured]()
    if cell.trouble:
        record.status, record.reason = "failed", cell.trouble
    elif cell.declared and cell.declared.out_of_reach:
        record.status, record.reason = "unsupported", cell.declared.out_of_reach
    else:
        try:
            found = fill(cell, scoring, record)
        except stats.NoSkill as error:  # nothing to retain: the cell says so, the other models go on
            record.status, record.reason = "failed", f"{cell.run.name}: {str(error).rstrip('.')}."
    params = cell.run.params
    save_scores(found, params.scores(cell.run.name, cell.name))
    return kept(params.quality_record(cell.run.name, cell.name), record)


def fill(cell: Cell, scoring: Scoring, record: CellRecord) -> list[Measured]:
    """Tasks, costs and points of a cell within reach."""
    record.tasks = scoring.task_facts()
    record.costs = [Cost(**plans["cost"]) for _, plans in sorted(cell.plans.items()) if plans["cost"]]
    found = [scoring.measured(cell, asked) for asked in cell.asked()]
    units = cell.declared.units if cell.declared else 0
    for seed, plans in cell.plans.items():
        for target, why in plans["missing"]:
            names = {"target": max(target, 0), "seed": seed, "setting": cell.home}
            found.append(Measured(failed(why, units, **names)))
    found.sort(key=lambda one: (one.point.setting, one.point.seed, one.point.label, one.point.target))
    record.points = [one.point for one in found]
    troubles = [point.reason for point in record.points if point.status != "ok"]
    if troubles:
        record.status, record.reason = "failed", troubles[0]
    return found


def empty(cell: Cell, family: str) -> CellRecord:
    """Who the cell is and how to get it again. Of a method that could not say who it is, its file's first line."""
    run, said = cell.run, cell.declared
    entry = run.params.entry(cell.name)
    file = file_of(cell.name, entry, f"{run.where}: methods.{cell.name}")
    return CellRecord(
        profile=run.params.profile,
        method=cell.name,
        title=said.title if said else cell.name,
        paper=said.paper if said else "none",
        track=said.track if said else "forward",
        file=short(file),
        summary=summary(file),
        stochastic=said.stochastic if said else False,
        parameters=said.parameters if said else {},
        model=run.name,
        family=family,
        natural=said.natural if said else False,
        grains=[str(grain) for grain in said.grains] if said else [],
        status="ok",
        provenance=run.provenance("measure", machine(run.params.run.threads).fingerprint),
    )


def kept(path: Path, record: CellRecord) -> CellRecord:
    """Write a record, unless the one that is there says the same: then it stays with the commit that measured it."""
    try:
        before = read(path, CellRecord)
    except (UserError, OSError):
        before = None
    if before is not None and before.model_dump(exclude=WHEN) == record.model_dump(exclude=WHEN):
        return record.model_copy(update={"provenance": before.provenance})
    write(path, record)
    return record


def save_scores(found: list[Measured], path: Path) -> None:
    """Statistics per example of every good point, for paired tests between methods: kept by DVC, not by git."""
    arrays = {
        f"{task}/{one.point.setting}/{one.point.seed}/{one.point.label}/{place(one.point)}": values
        for one in found
        for task, values in one.stats.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def forget(params: Params, only: str = "*") -> list[Path]:
    """Take away records, of one model or of all, that nobody may publish; gives their paths.

    Those of methods and models that left params.yaml, and failed ones: what failed is asked again by the next run, so
    no failure is kept as if it were a result.
    """
    gone = []
    for path in sorted((params.results / "quality").glob(f"{only}/*.json")):
        model, method = path.parent.name, path.stem
        if model in params.models and method in params.methods and not has_failed(path):
            continue
        for file in (path, params.scores(model, method), params.speed_record(model, method)):
            file.unlink(missing_ok=True)
        gone.append(path)
    for path in [] if only != "*" else sorted((params.results / "speed").glob("*/*/*.json")):
        if path.parent.name not in params.models or path.stem not in params.methods:
            path.unlink()
            gone.append(path)
    return gone


def has_failed(path: Path) -> bool:
    """Whether a record is of a failed cell, or unreadable."""
    try:
        return read(path, CellRecord).status == "failed"
    except UserError:
        return True
