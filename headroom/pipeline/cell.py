"""One (method, model) of a profile: who they are, and what every number of theirs depends on."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import Any

from headroom.api import Method, ModelInfo, Track
from headroom.attention import anatomy
from headroom.config.params import Params, Recover
from headroom.config.registry import file_of, load_method
from headroom.pipeline import engine
from headroom.pipeline.bench import Bench
from headroom.pipeline.context import HarnessContext, of_kinds, refusal, resolved
from headroom.pipeline.journal import Journal
from headroom.pipeline.provenance import file_hash
from headroom.training.lessons import Lessons

PACKAGES = ("torch", "transformers", "lm-eval", "sacrebleu")


class Cell:
    """A cell, ready to be asked for plans and points. Raises ``UserError`` for names the profile does not list."""

    def __init__(self, params: Params, where: str, method_name: str, model_name: str) -> None:
        self.params, self.where = params, where
        self.name, self.model_name = method_name, model_name
        self.entry = params.entry(method_name)
        params.spec(model_name)
        self.file = file_of(method_name, self.entry, f"{where}: methods.{method_name}")
        self.method: Method = load_method(method_name, self.entry, f"{where}: methods.{method_name}")
        self.bench = Bench(params.model_folder(model_name))
        self.journal = Journal(params.work / "journal")

    @cached_property
    def info(self) -> ModelInfo:
        return anatomy(self.bench.prepared.model).info

    @property
    def facts(self) -> dict[str, Any]:
        """What ``prepare`` noted of the model and its tasks."""
        return self.bench.prepared.facts

    @property
    def seeds(self) -> tuple[int, ...]:
        """Draws for a random method, calibration seeds otherwise, one where neither changes anything."""
        if self.method.stochastic:
            return tuple(range(self.params.run.draws))
        return self.params.run.seeds if self.method.calibrated else self.params.run.seeds[:1]

    @cached_property
    def base(self) -> dict[str, Any]:
        """What every number of this model depends on: part of every key in the journal."""
        return {
            "weights": self.facts["weight_hash"],
            "data": {task: facts["data_hash"] for task, facts in self.facts["tasks"].items()},
            "spec": self.bench.prepared.spec.model_dump(mode="json"),
            "tasks": [task.model_dump(mode="json") for task in self.bench.tasks],
            "engine": file_hash(*engine.files(engine.MEASURED)),
            "threads": self.params.run.threads,
            "versions": [version(name) for name in PACKAGES],
        }

    @property
    def out_of_reach(self) -> str:
        """One sentence when the method cannot do this model; empty when it can."""
        if refused := refusal(self.method, self.info):
            return refused
        kinds = self.params.run.kinds
        if not of_kinds(anatomy(self.bench.prepared.model).units(resolved(self.method.removes(), self.info)), kinds):
            return f"{self.model_name} has no such unit at {', '.join(kinds or ())} (params.yaml: run.kinds)."
        if self.method.track is Track.TRAINED and self.recover is None:
            return f"params.yaml: recover has no steps for {self.model_name}, so nothing can be trained on it."
        if self.method.from_scratch and self.bench.prepared.spec.train is None:
            return f"{self.model_name} came pretrained, so nothing can be trained from scratch in its place."
        return ""

    def context(self, seed: int, say: Any) -> HarnessContext:
        """A private copy of the model for the method, seeded."""
        return HarnessContext(
            self.bench.prepared.model,
            self.method.removes(),
            self.bench.calibration,
            self.bench.collator,
            self.method.params,
            seed,
            say=say,
            lessons=self.lessons,
            weights_folder=self.params.work / "weights",
            kinds=self.params.run.kinds,
        )

    @property
    def recover(self) -> Recover | None:
        """The fine-tuning that every plan of this model gets; None where it is measured as is only."""
        return self.params.recover.get(self.model_name)

    @cached_property
    def lessons(self) -> Lessons | None:
        """What there is to learn from; None where the profile has no recovery for the model."""
        return self.bench.lessons(self.recover) if self.recover else None
