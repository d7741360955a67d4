"""The plans of a cell and the measured points they become, each kept in the journal as soon as it is there."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from headroom.api import Plan, Track, Unit
from headroom.config.registry import short
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.pipeline.cell import Cell
from headroom.pipeline.plans import ask
from headroom.pipeline.provenance import file_hash
from headroom.results import stats
from headroom.results.records import Cost, Point, Setting, TaskFacts, TaskScore

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
        "kinds": cell.params.run.kinds,
        "recover": recipe(cell),  # also of methods that do not train: a plan knows the steps that are left for it
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
        "plans": [written(plan, *ctx.budget.of(plan.weights)) for plan in answer.plans],
        "missing": sorted(answer.missing.items()),
        "units": len(ctx.units),
        "cost": cost.model_dump(),
    }


def written(plan: Plan, spent: int, left: int) -> dict[str, Any]:
    return {
        "target": plan.target,
        "label": plan.label,
        "natural": plan.natural,
        "note": plan.note,
        "drop": [str(unit) for unit in sorted(plan.drop)],
        "weights": plan.weights.as_posix() if plan.weights else "",
        "spent": spent,
        "left": left,
    }


def plan_hash(plan: dict[str, Any]) -> str:
    words = [*plan["drop"], *([Path(plan["weights"]).name] if plan["weights"] else [])]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def settings(cell: Cell, plan: dict[str, Any]) -> list[Setting]:
    """In which settings a plan is a point. A method that trains is never "as is"; labels are not recovered."""
    recover, trains = cell.recover, cell.method.track is Track.TRAINED
    targets = recover and (recover.targets or cell.params.run.targets)
    asked = targets and (plan["natural"] or plan["label"] or plan["target"] in (0.0, *targets))
    if trains:
        return ["recovered"] if asked else []
    return ["as is", "recovered"] if asked and not plan["label"] else ["as is"]


def answer(cell: Cell, plan: dict[str, Any], setting: Setting = "as is", seed: int = 0) -> dict[str, Any]:
    """The measured model of a plan; two plans with the same units and weights share the measurement."""
    steps = steps_left(plan, setting)

    def measure() -> dict[str, Any]:
        units = [Unit.parse(text) for text in plan["drop"]]
        return cell.bench.answer(units, plan["weights"], teacher(cell, steps, seed) if steps else None)

    return cell.journal.remember("answers", determined_by(cell, plan, setting, seed), measure)


def determined_by(cell: Cell, plan: dict[str, Any], setting: Setting, seed: int) -> dict[str, Any]:
    """All that the measurement of a plan depends on."""
    everything = cell.base | {"drop": plan["drop"]}
    if plan["weights"]:
        everything["trained"] = Path(plan["weights"]).name
    if steps := steps_left(plan, setting):
        everything |= {"steps": steps, "seed": seed, "recipe": recipe(cell)}
    return everything


def recipe(cell: Cell) -> dict[str, Any] | None:
    """How the fine-tuning goes. Which targets get it changes no number, so another target measures only itself."""
    return cell.recover.model_dump(exclude={"targets"}) if cell.recover else None


def steps_left(plan: dict[str, Any], setting: Setting) -> int:
    """Update steps that the removed model still gets; floors are not recovered."""
    return 0 if setting == "as is" or plan["label"] else plan["left"]


def teacher(cell: Cell, steps: int, seed: int) -> Callable[[Any], None]:
    """The recovery: what is left of the update steps, on the removed model."""
    lessons = cell.lessons
    assert lessons
    return lambda model: lessons.teach(model, steps, seed)


def dense_plan(cell: Cell) -> dict[str, Any]:
    """Point zero: nothing removed, all update steps left."""
    return written(Plan(0.0), 0, cell.recover.steps if cell.recover else 0)


@lru_cache(maxsize=4)  # every point of a cell is compared with it
def dense_answer(cell: Cell, setting: Setting) -> dict[str, Any]:
    """The measured dense model of a setting."""
    return answer(cell, dense_plan(cell), setting)


@dataclass(frozen=True)
class Measured:
    """A point with the statistics behind it, by task."""

    point: Point
    stats: dict[str, Any] = field(default_factory=dict)


def measure(cell: Cell, plan: dict[str, Any], setting: Setting, seed: int, units: int) -> Measured:
    """One plan as a point. A model that cannot be scored gives a failed point and its reason."""
    names = {name: plan[name] for name in ("target", "label", "natural")} | {"seed": seed, "setting": setting}
    dense = dense_answer(cell, setting)
    try:
        found = answer(cell, plan, setting, seed)
    except RUN_ENDS:
        raise
    except Exception as error:  # a broken model is a finding, not the end of the run
        logger.warning("%s at %s, seed %d", cell.name, plan["target"], seed, exc_info=True)
        return Measured(failed(f"{type(error).__name__}: {error}", units, **names))
    counts, whole = found["counts"], dense["counts"]
    point = Point(
        **names,
        note=plan["note"],
        updates=plan["spent"] + (plan["left"] if setting == "recovered" and not plan["label"] else 0),
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
    return Measured(point, {task.name: found[f"stats:{task.name}"] for task in cell.bench.tasks})


def failed(why: str, units: int, **names: Any) -> Point:
    """A point that has a reason instead of a score."""
    return Point(**names, status="failed", reason=why[:500], units=units)


def scored(cell: Cell, task: str, found: dict[str, Any], dense: dict[str, Any]) -> TaskScore:
    """Quality with its intervals, paired with the dense model of the same setting. Raises ``stats.NoSkill``."""
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
    signatures = dense_answer(cell, "as is")["signatures"]
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
