"""Answers from the journal as the points of a record: shares of what went, and quality beside the dense model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headroom.pipeline.cell import Asked, Cell, dense_question, settings_of
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.questions import PointQuestion
from headroom.pipeline.working import Trouble
from headroom.results import aggregates, stats
from headroom.results.files import finding
from headroom.results.plan_names import plan_hash
from headroom.results.records import Agreement, Point, Setting, TaskFacts, TaskScore
from headroom.results.resamples import counted

NEAR = 0.99  # of the divergence of a model without skill; beyond it there is no agreement that could be lost
DIVERGENCE = {"metric": "divergence", "better": "lower", "unit": "bits a prediction"}

Answer = dict[str, Any]  # as ``Bench.answer`` gives it


@dataclass(frozen=True)
class Measured:
    """A point with the statistics behind it, by task."""

    point: Point
    stats: dict[str, Any] = field(default_factory=dict)
    unsure: tuple[str, ...] = ()  # operations that the device does otherwise from run to run, in the last bits
    said: Mapping[str, list[str]] = field(default_factory=dict)  # by task: the answers to the first examples
    shown: Mapping[str, list[dict[str, str]]] = field(default_factory=dict)  # and what these are, at the dense model


class Scoring:
    """Makes points of one model. ``broken`` holds, by place in the journal, why a question has no answer there."""

    def __init__(self, run: ModelRun, broken: Mapping[Path, Trouble]) -> None:
        self.run, self.broken = run, broken
        self._dense: dict[Setting, Answer] = {}

    def recall(self, question: PointQuestion) -> Answer | Trouble:
        """The answer to a question that was asked, or why there is none."""
        path = question.path
        if path in self.broken:
            return self.broken[path]
        damaged = Trouble(f"{path} was damaged since it was written; the next run mends that.")
        return self.run.journal.read(path) or damaged

    def dense(self, setting: Setting) -> Answer:
        """The measured dense model of a setting, with which every point is compared.

        Raises ``stats.NoSkill`` where it cannot be scored: then nothing could be retained.
        """
        if setting not in self._dense:
            answer = self.recall(dense_question(self.run, setting))
            if isinstance(answer, Trouble):
                raise stats.NoSkill(f"the dense model, {setting}, cannot be scored: {answer.reason}")
            self._dense[setting] = answer
        return self._dense[setting]

    def measured(self, cell: Cell, asked: Asked) -> Measured:
        """One plan as a point. A model that could not be scored gives a failed point and its reason."""
        plan, setting = asked.plan, asked.setting
        units = cell.declared.units if cell.declared else 0
        names = {name: plan[name] for name in ("target", "label", "natural")} | {"seed": asked.seed, "setting": setting}
        dense, found = self.dense(setting), self.recall(asked.question)
        if isinstance(found, Trouble):
            return Measured(failed(found.reason, units, **names))
        counts, whole = found["counts"], dense["counts"]
        try:
            point = Point(
                **names,
                note=plan["note"],
                updates=plan["spent"] + asked.question.steps,
                recovery=self.run.recover.kind if self.run.recover and asked.question.steps else "full",
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
                plan_hash=plan_hash(plan["drop"], plan["weights"]),
                tasks={task.name: self.scored(task.name, found, dense) for task in self.run.tasks},
                agreement={task: self.agreed(task, found, dense) for task in self.compared},
            )
        except ValidationError as error:  # no number, or one that cannot be: no record may hold it
            return Measured(failed(f"What was measured cannot be: {finding(error)}", units, **names))
        kept = {counted(task.name, "task"): found[f"stats:{task.name}"] for task in self.run.tasks}
        kept |= {counted(task, "agreement"): found[f"agreement:{task}"] for task in self.compared}
        return Measured(point, kept, tuple(found.get("unsure", ())), found["said"], found.get("shown", {}))

    def scored(self, task: str, found: Answer, dense: Answer) -> TaskScore:
        """Quality with its intervals, paired with the dense model of the same setting. Raises ``stats.NoSkill``."""
        metric = self.run.facts["tasks"][task]["metric"]
        return stats.task_score(
            found[f"stats:{task}"],
            dense[f"stats:{task}"],
            found["aggregates"][task],
            metric["chance"],
            metric["better"],
            resamples=self.run.params.run.resamples,
        )

    @cached_property
    def compared(self) -> list[str]:
        """The tasks in which a model can agree with the dense one: of which the dense model predicts different things.

        The dense model, fine-tuned as every plan is, has to be nearer to what it was than one without skill is.
        """
        answers = [self.dense(setting) for setting in settings_of(self.run)]
        blind = answers[0]["blind"]
        own = {task: max(divergence(one, task) for one in answers) for task in blind}
        return [task for task in blind if own[task] < blind[task] * NEAR]

    def agreed(self, task: str, found: Answer, dense: Answer) -> Agreement:
        """Agreement with the dense model as it was, with its intervals."""
        own, whole = found[f"agreement:{task}"], dense[f"agreement:{task}"]
        blind = self.dense("as is")["blind"][task]
        return stats.agreement(own, whole, blind, resamples=self.run.params.run.resamples)

    def agreement_facts(self) -> dict[str, TaskFacts]:
        """What a reader needs to judge the agreement in each task."""
        blind = self.dense("as is")["blind"]
        return {
            task: facts.model_copy(update=DIVERGENCE | {"chance": blind[task]})
            for task, facts in self.task_facts().items()
            if task in self.compared
        }

    def task_facts(self) -> dict[str, TaskFacts]:
        """What a reader needs to judge the scores of each task."""
        signatures = self.dense("as is")["signatures"]
        return {
            task.name: TaskFacts(
                version=task.version,
                metric=task.metric.name,
                better=task.metric.better,
                unit=task.metric.unit,
                chance=self.run.facts["tasks"][task.name]["metric"]["chance"],
                signature=signatures[task.name],
                data_hash=self.run.facts["tasks"][task.name]["data_hash"],
                contract=self.run.facts["tasks"][task.name]["contract"],
            )
            for task in self.run.tasks
        }


def divergence(answer: Answer, task: str) -> float:
    """Bits of a prediction by which a model is away from the dense one."""
    return float(aggregates.divergence(answer[f"agreement:{task}"].sum(axis=0)))


def failed(why: str, units: int, **names: Any) -> Point:
    """A point that has a reason instead of a score."""
    return Point(**names, status="failed", reason=why[:500], units=units)


def lost(counts: dict[str, int], whole: dict[str, int], key: str) -> float:
    """The share of the dense model's count that is gone."""
    return round(1 - counts[key] / whole[key], 6)
