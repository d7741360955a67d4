"""One model of a profile as it was prepared: what is asked of it, and all that every number of it depends on."""

from __future__ import annotations

import json
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.params import Params
from headroom.config.recovery import Recover
from headroom.config.tasks import Task, load_task
from headroom.digests import contents, file_hash
from headroom.errors import UserError
from headroom.measure.devices import kind, resolved
from headroom.models.placement import Placement
from headroom.models.snapshots import digests
from headroom.models.sources import source_of
from headroom.pipeline import engine
from headroom.pipeline.journal import Journal
from headroom.pipeline.provenance import provenance
from headroom.results.records import Provenance

if TYPE_CHECKING:
    from headroom.pipeline.bench import Bench

SEEN = "seen.json"  # when the files of a model that stays where it is were read
NOTES = {"prepare.json", "cost.json", SEEN}  # written last, of the others
PACKAGES = ("torch", "transformers", "lm-eval", "sacrebleu")


class ModelRun:
    """Names, params as they are asked of it, and the notes of ``prepare``.

    Without the model itself it is small enough to be sent to a worker.

    Raises ``UserError`` for a model that the profile does not list or that is not prepared.
    """

    def __init__(self, params: Params, where: str, name: str) -> None:
        params.spec(name)
        self.params, self.where, self.name = params.of(name), where, name
        self.folder: Path = params.model_folder(name)
        self.facts = noted(self.folder)
        self.tokens: int | None = None  # that go through the model at once, where its entry does not say, see `sizing`

    def __reduce__(self) -> tuple[Any, ...]:
        return ModelRun, (self.params, self.where, self.name), {"tokens": self.tokens}

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where its files lie: what ``prepare`` wrote, and where a model that came whole was left."""
        left = self.facts.get("source")
        return (self.folder, source_of(self.folder, self.facts, self.params.data).folder) if left else (self.folder,)

    @cached_property
    def spec(self) -> ModelSpec:
        return ModelSpec.model_validate(self.facts["spec"])

    @cached_property
    def tasks(self) -> list[Task]:
        return [load_task(name) for name in self.spec.tasks]

    @cached_property
    def device(self) -> str:
        """The device of torch's that this model is measured on."""
        return resolved(self.params.run.device)

    @cached_property
    def placement(self) -> Placement:
        """Where its weights lie while it is measured, and in which number format."""
        return Placement.of(self.spec, self.device, self.facts.get("dtype", "float32"))

    @property
    def recover(self) -> Recover | None:
        """The fine-tuning that every plan of this model gets; None where it is measured as is only."""
        return self.params.recover.get(self.name)

    @cached_property
    def recipe(self) -> dict[str, Any] | None:
        """How the fine-tuning goes. Which targets get it changes no number, so another target measures only itself."""
        if self.recover is None:
            return None
        made_by = {"peft": version("peft")} if self.recover.adapters else {}
        return self.recover.model_dump(exclude={"targets"}) | made_by

    @cached_property
    def base(self) -> dict[str, Any]:
        """What every number of this model depends on: part of every key in the journal."""
        return {
            "model": self._files,
            "data": {task: (facts["data_hash"], facts["train_hash"]) for task, facts in self.facts["tasks"].items()},
            "spec": self.spec.model_dump(mode="json", exclude={"train": {"checkpoints"}}),  # the model is the same
            "tasks": [task.model_dump(mode="json", exclude={"data"}) for task in self.tasks],
            "engine": file_hash(*engine.files(engine.MEASURED)),
            "threads": self.params.run.threads,
            "device": kind(self.device),
            "dtype": self.placement.dtype,
            "versions": [version(name) for name in PACKAGES],
        }

    @property
    def _files(self) -> dict[str, str]:
        """The model by what its files hold, be they written by ``prepare`` or left where they came from."""
        source = self.facts.get("source") or {"files": {}}
        own = {name: digest for name, digest in self.facts["files"].items() if name.startswith("model/")}
        return own | {f"model/{name}": digest for name, digest in source["files"].items()}

    def refuse_changes(self) -> None:
        """Raises ``UserError`` where model or data are not what ``prepare`` noted: they must not be measured."""
        if changed := changes(self.folder, self.facts, self.params.data):
            again = f"Run `dvc repro prepare@{self.name}`, which makes it again."
            raise UserError(f"{self.folder}: {changed} since it was prepared. {again}")

    @cache  # noqa: B019 - a run lives as long as its stage, and Git is asked once for all of its records
    def provenance(self, stage: str, machine: str) -> Provenance:
        """How the records of a stage on this model can be got again; ``machine`` is its fingerprint."""
        command = f"headroom stage {stage} --params {self.where} {self.name}"
        computed = {"device": kind(self.device), "dtype": str(self.placement.dtype)}
        return provenance(command, machine, self.params.run.threads, self.facts["weight_hash"], **computed)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.params.work / "journal")

    @property
    def bench(self) -> Bench:
        """The model itself with its tasks, loaded once a process."""
        from headroom.pipeline.bench import bench_of

        return bench_of(self.folder, self.params.data, self.placement, self.tokens)


def noted(folder: Path) -> dict[str, Any]:
    """What ``prepare`` noted of a model. Raises ``UserError`` where there is none, or one of an older Headroom."""
    notes = folder / "prepare.json"
    try:
        facts = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
    except ValueError:
        facts = {}
    if not isinstance(facts, dict) or not isinstance(facts.get("files"), dict):
        raise UserError(f"{folder} holds no prepared model. Run `dvc repro prepare@{folder.name}` first.")
    return facts


def changes(folder: Path, facts: dict[str, Any], data_dir: Path | None = None) -> str:
    """What became of the files that were noted, in words; empty where each holds what it held.

    Raises ``UserError`` for a model that has gone from where it was left, or that is not what the Hub gave.
    """
    now, then = contents(folder), dict(facts["files"])
    if facts.get("source"):
        source = source_of(folder, facts, data_dir)
        now |= {f"{source}: {name}": digest for name, digest in digests(source.folder, seen_before(folder)).items()}
        then |= {f"{source}: {name}": digest for name, digest in facts["source"]["files"].items()}
    for name in sorted({*now, *then} - NOTES):
        if now.get(name) != then.get(name):
            return f"{name} " + ("has gone" if name not in now else "has come" if name not in then else "has changed")
    return ""


def seen_before(folder: Path) -> dict[str, Any]:
    """Size, time of change and hash of the model's files when they were read; nothing where that is not known."""
    try:
        found = json.loads((folder / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
