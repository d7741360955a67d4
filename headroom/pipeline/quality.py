"""The quality stage: every plan of one method on one model, scored on every task of that model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from headroom.api import Track
from headroom.config.params import Params
from headroom.config.registry import display_title, short, summary
from headroom.measure.machine import machine
from headroom.pipeline.cell import Cell
from headroom.pipeline.context import resolved
from headroom.pipeline.jobs import measure_ahead
from headroom.pipeline.points import Measured, failed, measure, plans, settings, task_facts
from headroom.pipeline.provenance import provenance
from headroom.results import stats
from headroom.results.records import CellRecord, Cost, Setting, place, write

logger = logging.getLogger(__name__)


def run(params: Params, where: str, method: str, model: str, jobs: int = 1) -> CellRecord:
    """Measure a cell, in several processes where asked for, and write its record and its per-example scores."""
    cell = Cell(params, where, method, model)
    record, found = measured(cell, jobs)
    write(params.quality_record(model, method), record)
    save_scores(found, params.scores(model, method))
    points, fresh = len(record.points), cell.journal.made
    logger.info("%s on %s: %s, %d points, %d measured now", method, model, record.status, points, fresh)
    return record


def measured(cell: Cell, jobs: int = 1) -> tuple[CellRecord, list[Measured]]:
    """The record of a cell, with failed points beside the good ones, and what was measured for it."""
    record, found = empty(cell), list[Measured]()
    if cell.out_of_reach:
        record.status, record.reason = "unsupported", cell.out_of_reach
        return record, found
    try:
        found = fill(cell, record, jobs)
    except stats.NoSkill as error:  # nothing to retain: the cell says so, the other models go on
        record.status, record.reason = "failed", f"{cell.model_name}: {error}."
    return record, found


def fill(cell: Cell, record: CellRecord, jobs: int) -> list[Measured]:
    """Tasks, costs and points of a cell within reach."""
    every = {seed: plans(cell, seed) for seed in cell.seeds}  # before any scoring, whose memory is not the method's
    questions = [
        (plan, setting, seed)
        for seed, asked in every.items()
        for plan in asked["plans"]
        for setting in settings(cell, plan)
    ]
    measure_ahead(cell, questions, jobs)
    record.tasks = task_facts(cell)
    record.costs = [Cost(**asked["cost"]) for asked in every.values()]
    found = [measure(cell, *question, every[question[-1]]["units"]) for question in questions]
    for seed, asked in every.items():
        for target, why in asked["missing"]:
            names = {"target": max(target, 0), "seed": seed, "setting": home(cell)}
            found.append(Measured(failed(why, asked["units"], **names)))
    found.sort(key=lambda one: (one.point.setting, one.point.seed, one.point.label, one.point.target))
    record.points = [one.point for one in found]
    troubles = [point.reason for point in record.points if point.status != "ok"]
    if troubles:
        record.status, record.reason = "failed", troubles[0]
    return found


def home(cell: Cell) -> Setting:
    """The setting in which a plan that is missing would have been a point."""
    return "recovered" if cell.method.track is Track.TRAINED else "as is"


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
        natural=method.natural,
        grains=[str(grain) for grain in resolved(method.removes(), cell.info)],
        status="ok",
        provenance=provenance(command, here, params.run.threads, cell.facts["weight_hash"]),
    )


def save_scores(found: list[Measured], path: Path) -> None:
    """Statistics per example of every good point, for paired tests between methods: kept by DVC, not by git."""
    arrays = {
        f"{task}/{one.point.setting}/{one.point.seed}/{one.point.label}/{place(one.point)}": values
        for one in found
        for task, values in one.stats.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
