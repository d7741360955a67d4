"""One cell: every plan of one method on one model, scored on every task of that model."""

from __future__ import annotations

import hashlib
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from headroom import engine, stats
from headroom.api import Method, Plan, Unit
from headroom.context import HarnessContext, resolved
from headroom.errors import UserError
from headroom.journal import Journal
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.params import Params
from headroom.provenance import file_hash, provenance
from headroom.records import CellRecord, Cost, Machine, Point, TaskFacts, TaskScore, read, write
from headroom.registry import file_of, load_method, short, summary
from headroom.stages.bench import Bench
from headroom.stages.plans import ask

logger = logging.getLogger(__name__)

# Points that cannot be measured are part of the record; these errors end the run instead.
RUN_ENDS = (UserError, OSError, MemoryError)


class Cell:
    """One (method, model) of a profile."""

    def __init__(self, params: Params, where: str, method_name: str, model_name: str) -> None:
        self.params, self.model_name, self.name = params, model_name, method_name
        self.entry = params.entry(method_name)
        params.spec(model_name)
        self.file = file_of(method_name, self.entry, where)
        self.method: Method = load_method(method_name, self.entry, where)
        self.bench = Bench(params.model_folder(model_name))
        self.journal = Journal(params.work / "journal")
        self.facts = self.bench.prepared.facts
        self.where = where

    @property
    def seeds(self) -> tuple[int, ...]:
        """Draws for a random method, calibration seeds otherwise, one where neither changes anything."""
        if self.method.stochastic:
            return tuple(range(self.params.run.draws))
        return self.params.run.seeds if self.method.calibrated else self.params.run.seeds[:1]

    def base(self) -> dict[str, Any]:
        """What every number of this model depends on."""
        return {
            "weights": self.facts["weight_hash"],
            "data": {task: facts["data_hash"] for task, facts in self.facts["tasks"].items()},
            "spec": self.bench.prepared.spec.model_dump(mode="json"),
            "tasks": [task.model_dump(mode="json") for task in self.bench.tasks],
            "engine": file_hash(*engine.files(engine.QUALITY)),
            "threads": self.params.run.threads,
            "versions": [version(name) for name in ("torch", "transformers", "lm-eval", "sacrebleu")],
        }

    # ------------------------------------------------------------------ plans

    def plans(self, seed: int) -> dict[str, Any]:
        """The plans of one seed as JSON, with their cost; kept in the journal once the method has answered in full."""
        key = self.base() | {
            "method": file_hash(self.file),
            "parameters": self.entry,
            "targets": self.params.run.targets,
            "seed": seed,
        }
        stored = self.journal.read(self.journal.path("plans", key))
        if stored is None:
            stored = self.ask(seed)
            if not stored["missing"]:
                self.journal.write(self.journal.path("plans", key), stored)
        return stored

    def ask(self, seed: int) -> dict[str, Any]:
        run = self.params.run
        ctx = HarnessContext(
            self.bench.prepared.model,
            self.method.removes(),
            self.bench.calibration,
            self.bench.collator,
            self.method.params,
            seed,
            say=logger.info,
        )
        with Stopwatch() as watch:
            answer = ask(self.method, ctx, run.targets, short(self.file), run.plan_seconds)
        if answer.trace:
            logger.warning("%s on %s, seed %d:\n%s", self.name, self.model_name, seed, answer.trace)
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

    # ------------------------------------------------------------------ points

    def answer(self, drop: list[str]) -> dict[str, Any]:
        """The measured model without these units; two plans with the same units share the measurement."""
        key = self.base() | {"drop": drop}
        return self.journal.remember("answers", key, lambda: self.bench.answer(Unit.parse(text) for text in drop))

    def point(self, plan: dict[str, Any], seed: int, units: int) -> Point:
        dense = self.answer([])
        try:
            found = self.answer(plan["drop"])
        except RUN_ENDS:
            raise
        except Exception as error:  # a broken model is a finding, not the end of the run
            logger.warning("%s at %s, seed %d", self.name, plan["target"], seed, exc_info=True)
            return self.failed(plan["target"], seed, units, f"{type(error).__name__}: {error}", plan["label"])
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
            plan_hash=hashlib.sha256("\n".join(plan["drop"]).encode()).hexdigest()[:16],
            tasks={task.name: self.scored(task.name, found, dense) for task in self.bench.tasks},
        )

    def failed(self, target: float, seed: int, units: int, why: str, label: str = "") -> Point:
        return Point(target=target, seed=seed, label=label, status="failed", reason=why[:500], units=units)

    def scored(self, task: str, found: dict[str, Any], dense: dict[str, Any]) -> TaskScore:
        facts = self.task_facts(dense)[task]
        return stats.task_score(
            found[f"stats:{task}"],
            dense[f"stats:{task}"],
            found["aggregates"][task],
            facts.chance,
            facts.better,
            resamples=self.params.run.resamples,
        )

    def task_facts(self, dense: dict[str, Any]) -> dict[str, TaskFacts]:
        return {
            task.name: TaskFacts(
                version=task.version,
                metric=task.metric.name,
                better=task.metric.better,
                unit=task.metric.unit,
                chance=self.facts["tasks"][task.name]["metric"]["chance"],
                signature=dense["signatures"][task.name],
                data_hash=self.facts["tasks"][task.name]["data_hash"],
            )
            for task in self.bench.tasks
        }

    # ------------------------------------------------------------------ the record

    def record(self) -> CellRecord:
        """Everything measured, with failed points beside the good ones."""
        info = self.info()
        reason = self.method.supports(info) or self.out_of_reach(info)
        record = self.empty(info, "unsupported" if reason else "ok", reason or "")
        if reason:
            return record
        try:
            self.fill(record)
        except stats.NoSkill as error:  # nothing to retain: the cell says so, the other models go on
            record.status, record.reason = "failed", f"{self.model_name}: {error}."
        return record

    def fill(self, record: CellRecord) -> None:
        """Tasks, costs and points of a cell within reach."""
        record.tasks = self.task_facts(self.answer([]))
        for seed in self.seeds:
            plans = self.plans(seed)
            record.costs.append(Cost(**plans["cost"]))
            for plan in plans["plans"]:
                record.points.append(self.point(plan, seed, plans["units"]))
            for target, why in plans["missing"]:
                record.points.append(self.failed(max(target, 0), seed, plans["units"], why))
        record.points.sort(key=lambda point: (point.seed, point.label, point.target))
        troubles = [point.reason for point in record.points if point.status != "ok"]
        if troubles:
            record.status, record.reason = "failed", troubles[0]

    def info(self) -> Any:
        from headroom.attention import anatomy

        return anatomy(self.bench.prepared.model).info

    def out_of_reach(self, info: Any) -> str | None:
        missing = [grain for grain in resolved(self.method.removes(), info) if grain not in info.grains]
        return f"{info.family} models have no unit of grain {missing[0]}." if missing else None

    def empty(self, info: Any, status: Any, reason: str) -> CellRecord:
        command = f"headroom stage quality --params {self.where} {self.name} {self.model_name}"
        machine = read(self.params.machine, Machine).fingerprint
        return CellRecord(
            profile=self.params.profile,
            method=self.name,
            title=self.method.title,
            paper=self.method.paper,
            track=self.method.track,
            file=short(self.file),
            summary=summary(self.file),
            stochastic=self.method.stochastic,
            parameters={key: value for key, value in vars(self.method.params).items()},
            model=self.model_name,
            family=info.family,
            grains=[str(grain) for grain in resolved(self.method.removes(), info)],
            status=status,
            reason=reason,
            provenance=provenance(command, machine, self.params.run.threads, self.facts["weight_hash"]),
        )


def written(plan: Plan) -> dict[str, Any]:
    return {
        "target": plan.target,
        "label": plan.label,
        "note": plan.note,
        "drop": [str(unit) for unit in sorted(plan.drop)],
    }


def lost(counts: dict[str, int], whole: dict[str, int], key: str) -> float:
    return round(1 - counts[key] / whole[key], 6)


def run(params: Params, where: str, method: str, model: str) -> CellRecord:
    """Measure a cell and write its record and its per-example scores."""
    cell = Cell(params, where, method, model)
    record = cell.record()
    write(params.quality_record(model, method), record)
    save_scores(cell, record, params.scores(model, method))
    logger.info("%s on %s: %s, %d points, %d measured now", method, model, record.status, len(record.points), cell.journal.made)
    return record


def save_scores(cell: Cell, record: CellRecord, path: Path) -> None:
    """Statistics per example of every good point, for paired tests between methods (large, kept by DVC, not by git)."""
    arrays = {
        f"{task.name}/{point.seed}/{point.label}/{point.target}": cell.answer(point.plan)[f"stats:{task.name}"]
        for point in record.points
        if point.status == "ok"
        for task in cell.bench.tasks
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
