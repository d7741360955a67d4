"""What is asked of workers: who a method is, which units it would remove, and what is left of a model without them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from headroom.api import Grain, Method, ModelInfo, Track, Unit
from headroom.config.registry import display_title, file_of, load_method, short, summary
from headroom.digests import file_hash
from headroom.errors import UserError
from headroom.pipeline.asking import Question
from headroom.pipeline.fence import fenced
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.reach import of_kinds, refusal, resolved
from headroom.pipeline.working import Trouble, alive

TRIES = 2  # of a question that runs the harness's own code, where its worker died
GRACE = 10.0  # seconds for an alarm to be heard before a process that does not hear it is killed


@dataclass(frozen=True)
class Offered:
    """What can be removed from a model: its facts, and its units by grain."""

    info: ModelInfo
    units: Mapping[Grain, tuple[Unit, ...]]


@dataclass(frozen=True)
class AboutModel(Question):
    """What every question about a prepared model has in common."""

    run: ModelRun

    @property
    def holds(self) -> str:
        return str(self.run.folder)

    @property
    def reads(self) -> tuple[Path, ...]:
        return self.run.folders


@dataclass(frozen=True)
class OfferedQuestion(AboutModel):
    """What can be removed from a model?"""

    tries = TRIES

    def answer(self) -> Offered:
        from headroom.attention import anatomy

        plan = anatomy(self.run.bench.prepared.model)
        return Offered(plan.info, {grain: plan.units((grain,)) for grain in plan.info.grains})


@dataclass(frozen=True)
class Declared:
    """What a method says of itself, and whether it can do the model."""

    title: str
    paper: str
    track: Track
    file: str
    summary: str
    stochastic: bool
    calibrated: bool
    natural: bool
    parameters: dict[str, Any]
    grains: tuple[Grain, ...]
    units: int
    out_of_reach: str  # one sentence where it cannot

    @property
    def trains(self) -> bool:
        return self.track is Track.TRAINED


@dataclass(frozen=True)
class DeclaredQuestion(AboutModel):
    """Who is the method behind an entry of ``params.yaml: methods``, and can it do this model?"""

    method: str
    offered: Offered

    fresh = True

    @property
    def seconds(self) -> float:
        return self.run.params.run.plan_seconds

    def answer(self) -> Declared | Trouble:
        where = f"{self.run.where}: methods.{self.method}"
        file = file_of(self.method, self.run.params.entry(self.method), where)
        try:
            with fenced(self.run.params):
                return self.declared(loaded(self.run, self.method), file)
        except UserError as error:  # params.yaml was checked before: it is the file that went wrong since
            return Trouble(str(error))
        except Exception as error:  # of the method's own making, so even a file that it misses ends no run
            return Trouble(f"{short(file)}: {type(error).__name__}: {error}", traceback.format_exc())

    def declared(self, method: Method, file: Path) -> Declared:
        """What the method says. Raises ``TypeError`` for what cannot stand in a record, and whatever it raises."""
        entry = self.run.params.entry(self.method)
        grains = resolved(method.removes(), self.offered.info)
        units = [unit for grain in grains for unit in self.offered.units.get(grain, ())]
        offered = of_kinds(units, self.run.params.kinds(self.method))
        given = vars(method.params) | {key: entry[key] for key in ("kinds",) if key in entry}
        for name in ("title", "paper"):
            if not isinstance(getattr(method, name), str):
                raise TypeError(f"{name} is {getattr(method, name)!r}; wanted text.")
        return Declared(
            title=display_title(method, entry),
            paper=method.paper,
            track=method.track,
            file=short(file),
            summary=summary(file),
            stochastic=method.stochastic,
            calibrated=method.calibrated,
            natural=method.natural,
            parameters=to_jsonable_python(given),
            grains=grains,
            units=len(offered),
            out_of_reach=self.out_of_reach(method, bool(offered)),
        )

    def out_of_reach(self, method: Method, offered: bool) -> str:
        """One sentence when the method cannot do this model; empty when it can."""
        run, model = self.run, self.run.name
        if refused := refusal(method, self.offered.info):
            if not isinstance(refused, str):
                raise TypeError(f"supports() gives {refused!r}; wanted a sentence, or nothing where it can.")
            return refused
        if not offered:
            kinds = ", ".join(run.params.kinds(self.method) or ())
            return f"{model} has no such unit at {kinds} (params.yaml: run.kinds, or kinds of the entry)."
        if method.track is Track.TRAINED and run.recover is None:
            return f"params.yaml: recover has no steps for {model}, so nothing can be trained on it."
        if method.from_scratch and run.spec.train is None:
            return f"{model} came pretrained, so nothing can be trained from scratch in its place."
        return ""


def loaded(run: ModelRun, entry: str) -> Method:
    """The method behind an entry."""
    return load_method(entry, run.params.entry(entry), f"{run.where}: methods.{entry}")


@dataclass(frozen=True)
class PlanQuestion(AboutModel):
    """Which units would a method remove, with each of these seeds? Answered as JSON, see ``plans.asked``."""

    method: str
    seeds: tuple[int, ...]

    fresh = True

    @property
    def seconds(self) -> float:
        """The method's own alarm rings first. This is for one that blocks where no alarm is heard."""
        return self.run.params.run.plan_seconds + GRACE

    def answer(self) -> dict[int, dict[str, Any]] | Trouble:
        from headroom.pipeline.plans import asked

        try:
            with fenced(self.run.params):
                method = loaded(self.run, self.method)
        except UserError as error:
            return Trouble(str(error))
        return {seed: asked(self.run, self.method, method, seed, alive) for seed in self.seeds}

    def written(self, answer: dict[int, dict[str, Any]] | Trouble) -> tuple[Path, ...]:
        """The weights that its plans are made for."""
        plans = [] if isinstance(answer, Trouble) else [plan for one in answer.values() for plan in one["plans"]]
        return tuple(dict.fromkeys(Path(plan["weights"]) for plan in plans if plan["weights"]))


def planned_by(run: ModelRun, method: str, seed: int) -> dict[str, Any]:
    """All that the plans of a method depend on."""
    entry = run.params.entry(method)
    return run.base | {
        "method": file_hash(file_of(method, entry, f"{run.where}: methods.{method}")),
        "parameters": entry,
        "targets": run.params.run.targets,
        "seed": seed,
        "kinds": run.params.kinds(method),
        "recover": run.recipe,  # also of methods that do not train: a plan knows the steps that are left for it
    }


@dataclass(frozen=True)
class PointQuestion(AboutModel):
    """What is left of the model without these units? Two plans with the same units and weights are one question."""

    drop: tuple[str, ...]
    weights: str = ""  # trained weights to remove from; empty: the dense model's own
    steps: int = 0  # of fine-tuning before it is scored
    seed: int = 0  # of the fine-tuning

    tries = TRIES  # it runs the harness's code alone, so where a worker died another one may well do it

    @property
    def reads(self) -> tuple[Path, ...]:
        return (*self.run.folders, Path(self.weights)) if self.weights else self.run.folders

    def answer(self) -> dict[str, Any]:
        """Statistics of every task, counts, signatures and the difference between masked and removed."""
        units = [Unit.parse(text) for text in self.drop]
        return self.run.bench.answer(units, self.weights, self.teach if self.steps else None)

    def teach(self, model: Any) -> Any:
        """The recovery: a removed model after update steps, which leave the tensors that it shares as they are."""
        from headroom.training.recovery import recovered

        assert self.run.recover
        bench = self.run.bench
        lessons = bench.lessons(self.run.recover)
        return recovered(model, bench.prepared.model, lessons, self.steps, self.seed)[0]

    @property
    def determined_by(self) -> dict[str, Any]:
        """All that the answer depends on."""
        everything = self.run.base | {"drop": list(self.drop)}
        if self.weights:
            everything["trained"] = Path(self.weights).name
        if self.steps:
            everything |= {"steps": self.steps, "seed": self.seed, "recipe": self.run.recipe}
        return everything

    @property
    def path(self) -> Path:
        """Where the journal keeps the answer."""
        return self.run.journal.path("answers", self.determined_by)
