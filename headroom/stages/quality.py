"""The quality stage: every plan of one method on one model, scored on every task of that model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from headroom import stats
from headroom.context import resolved
from headroom.measure.machine import machine
from headroom.params import Params
from headroom.provenance import provenance
from headroom.records import CellRecord, Cost, write
from headroom.registry import display_title, short, summary
from headroom.stages.cell import Cell
from headroom.stages.points import answer, failed, plans, point, task_facts

logger = logging.getLogger(__name__)


def run(params: Params, where: str, method: str, model: str) -> CellRecord:
    """Measure a cell and write its record and its per-example scores."""
    cell = Cell(params, where, method, model)
    record = measured(cell)
    write(params.quality_record(model, method), record)
    save_scores(cell, record, params.scores(model, method))
    points, fresh = len(record.points), cell.journal.made
    logger.info("%s on %s: %s, %d points, %d measured now", method, model, record.status, points, fresh)
    return record


def measured(cell: Cell) -> CellRecord:
    """The record of a cell, with failed points beside the good ones."""
    record = empty(cell)
    if cell.out_of_reach:
        record.status, record.reason = "unsupported", cell.out_of_reach
        return record
    try:
        fill(cell, record)
    except stats.NoSkill as error:  # nothing to retain: the cell says so, the other models go on
        record.status, record.reason = "failed", f"{cell.model_name}: {error}."
    return record


def fill(cell: Cell, record: CellRecord) -> None:
    """Tasks, costs and points of a cell within reach."""
    record.tasks = task_facts(cell)
    for seed in cell.seeds:
        found = plans(cell, seed)
        record.costs.append(Cost(**found["cost"]))
        record.points += [point(cell, plan, seed, found["units"]) for plan in found["plans"]]
        record.points += [failed(max(target, 0), seed, found["units"], why) for target, why in found["missing"]]
    record.points.sort(key=lambda one: (one.seed, one.label, one.target))
    troubles = [one.reason for one in record.points if one.status != "ok"]
    if troubles:
        record.status, record.reason = "failed", troubles[0]


def empty(cell: Cell) -> CellRecord:
    """Who the cell is and how to get it again."""
    params, method = cell.params, cell.method
    command = f"headroom stage quality --params {cell.where} {cell.name} {cell.model_name}"
    here = machine(params.run.threads).fingerprint
    return CellRecord(
        profile=params.profile,
        method=cell.name,
        title=display_title(method, cell.entry),
        paper=method.paper,
        track=method.track,
        file=short(cell.file),
        summary=summary(cell.file),
        stochastic=method.stochastic,
        parameters=dict(vars(method.params)),
        model=cell.model_name,
        family=cell.info.family,
        grains=[str(grain) for grain in resolved(method.removes(), cell.info)],
        status="ok",
        provenance=provenance(command, here, params.run.threads, cell.facts["weight_hash"]),
    )


def save_scores(cell: Cell, record: CellRecord, path: Path) -> None:
    """Statistics per example of every good point, for paired tests between methods: kept by DVC, not by git."""
    arrays = {
        f"{task.name}/{one.seed}/{one.label}/{one.target}": answer(cell, one.plan, one.weights)[f"stats:{task.name}"]
        for one in record.points
        if one.status == "ok"
        for task in cell.bench.tasks
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
