"""The user's model, with what feeds it: from a folder (one that Headroom saved, or any of transformers') or the Hub."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from headroom import attention
from headroom.config.located import validated
from headroom.config.model_spec import ModelSpec
from headroom.config.params import DEVICES
from headroom.config.tasks import Task
from headroom.data.batches import Collator
from headroom.data.classes import names_in
from headroom.data.columns import check_labels
from headroom.data.contract import Contract
from headroom.errors import UserError
from headroom.measure.devices import check, resolved
from headroom.models.fitting import troubles
from headroom.models.loading import contract_of
from headroom.models.placement import Placement
from headroom.models.readers import readers
from headroom.models.snapshots import digests
from headroom.models.sources import Source
from headroom.pruning.budgets import Budget, budget_of
from headroom.pruning.heal import Heal
from headroom.pruning.origin import Origin, of_source
from headroom.pruning.own_data import OwnData

IN_MEMORY = "in memory"  # of ``Subject.files``: the hash of a model that was loaded from no file by us


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    model: str
    method: str
    target: float | None = None  # share of the units, where nothing else says how small
    out: Path = Path()
    task: str | None = None
    revision: str | None = None
    data: Path | None = None
    parameters: list[str] = field(default_factory=list)
    seed: int = 0
    threads: int = 2
    trust_remote_code: bool = False
    image_mean: float | None = None
    image_std: float | None = None
    budget: Budget | None = None  # None: ``target`` alone
    own: OwnData | None = None  # examples of the user's, in the place of a task
    format: str = "auto"  # of the folder, see ``shipping.ship``
    device: str = "auto"  # as run.device of a params.yaml
    dtype: str | None = None  # None: as the files have it, on every device, for so it is saved
    uniform: bool = False  # as many units of every layer
    examples: int | None = None  # for calibration, and for evaluation; None: as method and task have it
    heal: Heal | None = None  # what was found learns again

    @property
    def wanted(self) -> Budget:
        """How small the model has to be. Raises ``UserError`` where that is not said."""
        return self.budget or budget_of(target=self.target)


@dataclass
class Subject:
    """A dense model, its contract, and the task that it is measured on, if any."""

    model: Any
    purpose: str
    spec: ModelSpec
    contract: Contract
    task: Task | None = None
    splits: dict[str, Any] = field(default_factory=dict)  # of the task
    files: dict[str, str] = field(default_factory=dict)  # what the model was loaded from, by hash or commit
    origin: Origin = field(default_factory=Origin)  # what the files say of it
    changed: Any = None  # the dense shape with the weights that a method set, before anything is removed

    @property
    def collator(self) -> Collator | None:
        """What makes batches of the task's examples."""
        return self.contract.collator(self.task) if self.task else None

    def apply(self, weights: str) -> None:
        """Take over a file of weights that comes with a plan, such as a bias that makes up for what goes."""
        self.changed = self.model
        if weights:
            from safetensors.torch import load_model

            self.changed = copy.deepcopy(self.model)
            load_model(self.changed, weights)


def subject_of(request: Request, task: Task | None, splits: Any) -> Subject:
    """Load what ``--model`` names. Raises ``UserError`` with all that keeps it from being pruned, or from the task."""
    source, spec = asked(request, task)
    where = f"--model {request.model}"
    purpose = task.purpose if task else purpose_in(source, where)
    named = {task.name: names_in(task, splits)} if task and "classification" in purpose else {}
    troubles(spec, [task] if task else [], where, request.data, named, source, purpose).settle()
    placement = Placement(device_of(request.device), request.dtype)
    model = placement.put(source.model(purpose, **placement.options))
    if task and "classification" in purpose:
        check_labels(splits, task, int(model.config.num_labels or 0), f"{request.model}: num_labels")
    feeding = readers(spec, purpose, model.config, where, source, needed=task is not None)
    contract = contract_of(spec, model, *feeding, named, request.model)
    origin = of_source(request.model, source.place, source.revision)
    return Subject(model, purpose, spec, contract, task, splits, files_of(source), origin)


def worded(parameters: Mapping[str, Any]) -> list[str]:
    """The parameters of a method as options have them, name=value, values as YAML reads them."""
    return [f"{name}={json.dumps(value)}" for name, value in parameters.items()]


def device_of(asked: str) -> str:
    """The device of torch's that ``--device`` names. Raises ``UserError`` where torch cannot compute there."""
    if not re.fullmatch(DEVICES, asked):
        raise UserError(f"--device is {asked!r}; wanted auto, cpu, cuda, cuda:1 or mps.")
    found = resolved(asked)
    try:
        check(found)
    except UserError as error:
        raise UserError(str(error).replace("params.yaml: run.device", "--device")) from None
    return found


def files_of(source: Source) -> dict[str, str]:
    """What a model was loaded from: its files by their hashes, or the commit on the Hub."""
    if isinstance(source.place, Path):
        return digests(source.place)
    return {source.place: str(source.revision)}


def asked(request: Request, task: Task | None) -> tuple[Source, ModelSpec]:
    """Where the model is, and the entry that params.yaml would have for it."""
    folder = Path(request.model)
    if not folder.is_dir():
        if folder.exists() or request.model.startswith((".", "/")) or request.model.count("/") != 1:
            raise UserError(f"--model {request.model}: is neither a folder nor a Hub id (owner/name).")
        if not request.revision:
            raise UserError(
                f"--model {request.model}: a Hub id needs --revision, 40 hex digits, so that it stays the same model."
            )
    elif not (folder / "config.json").is_file():
        raise UserError(f"--model {folder}: holds no config.json, so it is no model of transformers.")
    source = Source(folder if folder.is_dir() else request.model, request.revision, request.trust_remote_code)
    entry = {
        "source": {"folder": "."} if folder.is_dir() else {"hub": request.model, "revision": request.revision},
        "tasks": [task.name] if task else ["none"],
        "dtype": request.dtype,
        "trust_remote_code": request.trust_remote_code,
        "image": {"mean": request.image_mean, "std": request.image_std},
    }
    return source, validated(ModelSpec, entry, f"--model {request.model}")


def purpose_in(source: Source, where: str) -> str:
    """What a model is for, from the class that its config names."""
    if source.purpose:
        return source.purpose
    names = f"names {source.named}, which has no head for a task" if source.named else "is missing"
    endings = ", ".join(attention.PURPOSES)
    raise UserError(f"{where}: config.json: architectures {names}; wanted a class that ends in one of {endings}.")


def check_place(folder: Path) -> None:
    """Raises ``UserError`` for a folder that is not empty, or that cannot be made: found before any work is done."""
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"--out {folder}: is a link to nothing. Name a new folder.")
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UserError(f"--out {folder}: is there already and not empty. Name a new folder.")
    near = next(place for place in folder.absolute().parents if place.exists())
    if not near.is_dir():
        raise UserError(f"--out {folder}: {near} is a file. Name a folder that can be made.")
    try:
        Path(mkdtemp(prefix=".headroom-", dir=near)).rmdir()  # rights alone do not tell whether a disk can be written
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"--out {folder}: cannot be made in {near}: {why}. Name a folder of your own.") from None
