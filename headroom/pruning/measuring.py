"""What a step of a ladder keeps, buys and weighs. Every answer is kept, so that another budget asks for it no more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headroom import attention
from headroom.api import Grain
from headroom.config.registry import file_of
from headroom.config.speed import Speed, Work
from headroom.data.apart import data_hash
from headroom.data.contract import longest
from headroom.data.guessing import chance
from headroom.digests import file_hash, of_file
from headroom.errors import UserError
from headroom.evaluate import Evaluation, NotFinite, Scores, Settings
from headroom.evaluate.scores import as_found
from headroom.measure.machine import machine
from headroom.measure.speed import Side, predicted_memory_mb, speed_points
from headroom.measure.work import task as work_of
from headroom.pipeline import engine
from headroom.pipeline.journal import Journal
from headroom.pipeline.model_run import PACKAGES
from headroom.pruning.planning import STEPS, Planner, Step
from headroom.pruning.subject import Subject
from headroom.pruning.trials import CACHED, WORKS, Sizes, Timing, Trial, said_of
from headroom.pruning.watching import Watch, counted
from headroom.results.aggregates import AGGREGATES
from headroom.results.records import TaskScore
from headroom.results.stats import NoSkill, median_interval, task_score

PAIRS = 15  # the fewest that can show a difference of 5 %: a search times several models


class Bench:
    """A dense model, and smaller ones beside it. ``step`` None is the dense model itself."""

    def __init__(self, subject: Subject, journal: Journal, confidence: float, threads: int, watch: Watch) -> None:
        self.subject, self.journal, self.confidence, self.watch = subject, journal, confidence, watch
        self.threads, self.passes = threads, 0
        self._made: tuple[Step | None, Any] = (None, None)

    def smaller(self, step: Step) -> Any:
        """The model without the units of a step; the last one is kept."""
        if self._made[0] != step:
            self._made = (None, None)
            self.subject.apply(step.weights)
            self._made = (step, attention.without(self.subject.changed, step.drop))
        return self._made[1]

    def hold(self, step: Step, model: Any) -> None:
        """Take ``model`` for the one without the units of a step: a copy that the caller keeps."""
        self._made = (step, model)

    def model(self, step: Step | None) -> Any:
        return self.smaller(step) if step else self.subject.model

    @cached_property
    def base(self) -> dict[str, Any]:
        """What every answer depends on."""
        subject = self.subject
        return {
            "model": subject.files,
            "spec": subject.spec.model_dump(mode="json"),
            "task": subject.task.model_dump(mode="json") if subject.task else None,
            "data": {name: hashed(rows) for name, rows in sorted(subject.splits.items())},
            "engine": file_hash(*engine.files(engine.MEASURED)),
            "versions": [version(name) for name in PACKAGES],
            "threads": self.threads,
            "place": [str(subject.model.device), str(subject.model.dtype)],
        }

    def kept(self, kind: str, step: Step | None, make: Callable[[], dict[str, Any]], **more: Any) -> dict[str, Any]:
        """An answer from the journal, or made now and written there."""
        of = {"drop": sorted(map(str, step.drop)), "weights": weighed(step.weights)} if step else {}
        return self.journal.remember(kind, self.base | of | more, make)

    def ladder(self, planner: Planner) -> list[Step]:
        """The method's plans all over the range, kept like all answers; asked again where their weights have gone."""
        file = file_of(planner.method.name, None, "--method")
        of = self.base | planner.identity | {"file": file_hash(file), "steps": STEPS}
        path = self.journal.path("ladder", of)
        stored = self.journal.read(path)
        steps = [Step.from_json(one) for one in stored["steps"]] if stored else []
        if not steps or not all(Path(step.weights).is_file() for step in steps if step.weights):
            steps = planner.ladder()
            self.journal.write(path, {"steps": [step.as_json() for step in steps]})
        return steps

    def sizes(self, step: Step | None) -> Sizes:
        """Counted, with one call of what is timed."""

        def make() -> dict[str, Any]:
            model, purpose = self.model(step), self.subject.purpose
            with as_found(model):
                side = side_of(model, self.work)
                memory = predicted_memory_mb(side) * 2**20
                kv = side_of(model, self.fit(CACHED[purpose])).counted[1].per_token if purpose in CACHED else None
            return asdict(Sizes(parameters(model), attention_parameters(model), memory, kv))

        return Sizes(**self.kept("sizes", step, make, work=self.work.model_dump(), engine_timed=engine_timed()))

    @property
    def work(self) -> Work:
        """What is timed."""
        return self.fit(WORKS[self.subject.purpose])

    def fit(self, work: Work) -> Work:
        """The same work on inputs that are no longer than the model reads."""
        contract = self.subject.contract
        most = longest(contract.config, contract.tokenizer)
        return work.model_copy(update={"length": most}) if most and work.length > most else work

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation split, encoded once. A method never sees it."""
        subject = self.subject
        settings = Settings.of(subject.spec, subject.contract.length)
        return Evaluation([(subject.task, subject.splits["evaluate"])], subject.contract, settings)  # type: ignore[list-item]

    def scores(self, step: Step | None) -> Scores:
        """Counts of every example. Raises ``NotFinite``."""
        name = f"{step.share:.1%} of the units gone" if step else "the dense model"

        def make() -> dict[str, Any]:
            scores = self.scored(self.model(step), name)
            return {"stats": scores.stats, "aggregate": scores.aggregate, "signature": scores.signature}

        return Scores(**self.kept("quality", step, make))

    def scored(self, model: Any, name: str) -> Scores:
        """The same of any model, and not kept."""
        task, examples = self.subject.task, len(self.subject.splits["evaluate"])
        assert task is not None
        with self.watch.doing(f"{name}: {task.name}, {examples} examples", self.passes), counted(model, self.watch):
            scores = self.evaluation.score(model)[task.name]
        self.passes = self.watch.done  # the next model takes about as many
        return scores

    @cached_property
    def chance(self) -> float:
        """What a model without skill reaches."""
        subject = self.subject
        assert subject.task is not None
        return chance(subject.task, subject.splits, subject.task, subject.splits, subject.contract.tokenizer)

    def score(self, step: Step, needed: bool = False) -> TaskScore:
        """Quality with its intervals, paired with the dense model.

        Raises ``NotFinite``, and ``UserError`` where the dense model has no skill that could be lost and that is
        ``needed``. Where it is not, the retained quality says nothing.
        """
        return self.beside_dense(self.scores(step), needed)

    def beside_dense(self, found: Scores, needed: bool = False) -> TaskScore:
        """The same of scores that are there. Raises ``UserError``."""
        dense, task = self.scores(None), self.subject.task
        assert task is not None
        better = task.metric.better
        how = {"better": better, "level": self.confidence}
        try:
            return task_score(found.stats, dense.stats, found.aggregate, self.chance, **how)  # type: ignore[arg-type]
        except NoSkill as error:
            if needed:
                said = str(error).partition(";")[0]
                raise UserError(f"{task.file}: {said}, so there is no loss to hold --max-loss against.") from None
            return unskilled(dense, found, how)

    def timing(self, step: Step) -> Timing:
        """The paired timing, its interval at the confidence."""
        work, subject = self.work, self.subject

        def make() -> dict[str, Any]:
            model = copy.deepcopy(self.smaller(step))  # what is timed has tensors of its own
            with self.watch.doing(f"{step.share:.1%} of the units gone: {said_of(work)}, {PAIRS} pairs"):
                settings = Speed(pairs=PAIRS, works={})
                point = speed_points(subject.model, [(0.0, 0, "", "", model)], [work], settings)[0]
            return {"samples": point.samples, "dense_ms": point.dense_ms, "removed_ms": point.removed_ms}

        here = machine(self.threads, str(subject.model.device)).fingerprint
        timed = self.kept(
            "speed", step, make, machine=here, work=work.model_dump(), pairs=PAIRS, engine_timed=engine_timed()
        )
        return Timing(*median_interval(timed["samples"], self.confidence), timed["dense_ms"], timed["removed_ms"])

    def whole(self, step: Step) -> Trial:
        """All that can be said of a step. Raises ``UserError`` for a model that gives no numbers."""
        try:
            score = self.score(step) if self.subject.task else None
        except NotFinite as error:
            raise UserError(f"{step.share:.1%} of the units gone: {error}.") from None
        return Trial(step, self.sizes(step), score, self.timing(step))


def engine_timed() -> str:
    """The code that counts and times."""
    return file_hash(*engine.files(engine.TIMED))


def side_of(model: Any, work: Work) -> Side:
    return Side(model, work, work_of(model, work))


def unskilled(dense: Scores, found: Scores, how: dict[str, Any]) -> TaskScore:
    """The score without a level of chance, for a dense model that does not rise above it: the intervals are right."""
    value = float(AGGREGATES[dense.aggregate](dense.stats.sum(axis=0)))
    below = value - 1 if how["better"] == "higher" else value + 1
    return task_score(found.stats, dense.stats, found.aggregate, below, **how)


def parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def attention_parameters(model: Any) -> int:
    plan = attention.anatomy(model)
    return sum(plan.parameters(unit) for unit in plan.units((Grain.ATTENTION,)))


def hashed(rows: Any) -> str:
    """A split by its content."""
    return data_hash({"rows": rows})


def weighed(file: str) -> str:
    """A file of weights by its content; empty without one."""
    return of_file(Path(file)) if file else ""
