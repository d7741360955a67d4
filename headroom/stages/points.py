"""The plans of a cell and the measured points they become, each kept in the journal as soon as it is there."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from headroom import stats
from headroom.api import Grain, Plan, Unit
from headroom.attention import anatomy
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.provenance import file_hash
from headroom.records import Cost, Point, TaskFacts, TaskScore
from headroom.registry import short
from headroom.stages.cell import Cell
from headroom.stages.plans import ask

logger = logging.getLogger(__name__)

# A point that cannot be measured is part of the record; these errors end the run instead.
RUN_ENDS = (OSError, MemoryError)


def plans(cell: Cell, seed: int) -> dict[str, Any]:
    """The plans of one seed as JSON, with their cost; kept once the method has answered in full."""
    determined_by = cell.base | {
        "method": file_hash(cell.file),
        "parameters": cell.entry,
        "targets": cell.params.run.targets,
        "seed": seed,
    }
    path = cell.journal.path("plans", determined_by)
    stored = cell.journal.read(path)
    if stored is None:
        stored = asked(cell, seed)
        if not stored["missing"]:
            cell.journal.write(path, stored)
    return stored


def asked(cell: Cell, seed: int) -> dict[str, Any]:
    """Let the method work, and count what it cost."""
    run, ctx = cell.params.run, cell.context(seed, logger.info)
    with Stopwatch() as watch:
        answer = ask(cell.method, ctx, run.targets, short(cell.file), run.plan_seconds)
    if answer.trace:
        logger.warning("%s on %s, seed %d:\n%s", cell.name, cell.model_name, seed, answer.trace)
    cost = Cost(
        seed=seed,
        seconds=watch.seconds,
        forward=ctx.passes.forward,
        backward=ctx.passes.backward,
        updates=ctx.passes.updates,
        peak_memory_mb=peak_memory_mb(),
    )
    return {
        "plans": [written(plan) for plan in answer.plans],
        "missing": sorted(answer.missing.items()),
        "units": len(ctx.units),
        "cost": cost.model_dump(),
    }


def written(plan: Plan) -> dict[str, Any]:
    return {
        "target": plan.target,
        "label": plan.label,
        "note": plan.note,
        "drop": [str(unit) for unit in sorted(plan.drop)],
        "weights": plan.weights.as_posix() if plan.weights else "",
    }


def plan_hash(plan: dict[str, Any]) -> str:
    words = [*plan["drop"], *([Path(plan["weights"]).name] if plan["weights"] else [])]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def answer(cell: Cell, drop: list[str], weights: str = "") -> dict[str, Any]:
    """The measured model without these units; two plans with the same units and weights share the measurement."""
    determined_by = cell.base | {"drop": drop} | ({"trained": Path(weights).name} if weights else {})
    units = without_empty_stacks(cell, {Unit.parse(text) for text in drop})
    return cell.journal.remember("answers", determined_by, lambda: cell.bench.answer(units, weights))


def without_empty_stacks(cell: Cell, units: set[Unit]) -> list[Unit]:
    """A stack keeps its last block in name: where every block goes, all its sublayers go, which is the same."""
    plan = anatomy(cell.bench.prepared.model)
    for stack in {unit.site.stack for unit in units}:
        blocks = {unit for unit in plan.units((Grain.BLOCK,)) if unit.site.stack == stack}
        if blocks <= units:
            inside = (unit for unit in plan.units((Grain.ATTENTION, Grain.MLP)) if unit.site.stack == stack)
            units = (units - blocks) | set(inside)
    return sorted(units)


def point(cell: Cell, plan: dict[str, Any], seed: int, units: int) -> Point:
    """One plan as a point. A model that cannot be scored gives a failed point and its reason."""
    dense = answer(cell, [])
    try:
        found = answer(cell, plan["drop"], plan["weights"])
    except RUN_ENDS:
        raise
    except Exception as error:  # a broken model is a finding, not the end of the run
        logger.warning("%s at %s, seed %d", cell.name, plan["target"], seed, exc_info=True)
        return failed(plan["target"], seed, units, f"{type(error).__name__}: {error}", plan["label"])
    counts, whole = found["counts"], dense["counts"]
    return Point(
        target=plan["target"],
        seed=seed,
        label=plan["label"],
        note=plan["note"],
        status="ok",
        units=units,
        units_removed=len(plan["drop"]),
        attention_parameters_removed=lost(counts, whole, "attention_parameters"),
        parameters_removed=lost(counts, whole, "parameters"),
        macs=counts["macs"] / whole["macs"],
        kv_bytes_per_token=counts["kv_bytes_per_token"],
        logit_difference=found["logit_difference"],
        plan=plan["drop"],
        weights=plan["weights"],
        plan_hash=plan_hash(plan),
        tasks={task.name: scored(cell, task.name, found, dense) for task in cell.bench.tasks},
    )


def failed(target: float, seed: int, units: int, why: str, label: str = "") -> Point:
    """A point that has a reason instead of a score."""
    return Point(target=target, seed=seed, label=label, status="failed", reason=why[:500], units=units)


def scored(cell: Cell, task: str, found: dict[str, Any], dense: dict[str, Any]) -> TaskScore:
    """Quality with its intervals, paired with the dense model. Raises ``stats.NoSkill``."""
    metric = cell.facts["tasks"][task]["metric"]
    return stats.task_score(
        found[f"stats:{task}"],
        dense[f"stats:{task}"],
        found["aggregates"][task],
        metric["chance"],
        metric["better"],
        resamples=cell.params.run.resamples,
    )


def task_facts(cell: Cell) -> dict[str, TaskFacts]:
    """What a reader needs to judge the scores of each task."""
    signatures = answer(cell, [])["signatures"]
    return {
        task.name: TaskFacts(
            version=task.version,
            metric=task.metric.name,
            better=task.metric.better,
            unit=task.metric.unit,
            chance=cell.facts["tasks"][task.name]["metric"]["chance"],
            signature=signatures[task.name],
            data_hash=cell.facts["tasks"][task.name]["data_hash"],
        )
        for task in cell.bench.tasks
    }


def lost(counts: dict[str, int], whole: dict[str, int], key: str) -> float:
    return round(1 - counts[key] / whole[key], 6)
