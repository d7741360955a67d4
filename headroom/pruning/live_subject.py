"""A model in memory, and examples that Python has, as a subject: checked as files are, and not changed."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from torch import nn

from headroom import attention
from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import COLUMNS, Task, load_task, tasks_folder
from headroom.data.classes import names_in
from headroom.data.columns import check_labels
from headroom.data.loading import load_splits
from headroom.errors import UserError, suggest
from headroom.evaluate.sacre import check_task
from headroom.models.fitting import Findings, of_length, of_words
from headroom.models.loading import contract_of
from headroom.models.sources import Source
from headroom.pruning.origin import of_live
from headroom.pruning.own_data import KINDS, READABLE, OwnData, task_of
from headroom.pruning.subject import IN_MEMORY, Subject
from headroom.training.lessons import hash_of_weights

if TYPE_CHECKING:
    from datasets import Dataset

Data: TypeAlias = Union[str, Path, Task, Sequence[str], Sequence[tuple[Any, Any]], "Dataset", None]
KIND = {"language": "text"}  # of examples, by what a model is for; all others have the same name
READERS = {"image-classification": "processor"}
WHERE = "the model"


def data_of(data: Data, purpose: str, columns: Mapping[str, str] | None = None) -> tuple[Task | None, dict[str, Any]]:
    """A task and its splits ``calibrate`` and ``evaluate``, from whatever ``data`` is; none from None.

    The name of a task or a task is read as it says; a path of a file, a list or a ``Dataset`` is halved. Raises
    ``UserError`` for what is none of these, or of another kind than a model for ``purpose`` wants.
    """
    if data is None:
        return None, {}
    if isinstance(data, str) and (tasks_folder() / f"{data}.yaml").is_file():
        data = load_task(data)
    if isinstance(data, Task):
        check_task(data)
        return data, load_splits(data, None, train=False)
    kind = KIND.get(purpose, purpose)
    if isinstance(data, str | Path):
        if Path(data).suffix not in READABLE:
            raise UserError(f"data is {str(data)!r}, no file and no task. {suggest(str(data), task_names())}")
        pairs = [f"{ours}={theirs}" for ours, theirs in (columns or {}).items()]
        own = OwnData.of(Path(data), kind, pairs, None)
        assert own is not None
        return own.load()
    return task_of(rows_of(data, kind), kind, dict(columns or {}), "data", "data")


def task_names() -> list[str]:
    return [path.stem for path in tasks_folder().glob("*.yaml")]


def rows_of(data: Any, kind: str) -> Dataset:
    """A list of texts or of pairs as a table with the columns of its kind; a table stays as it is.

    Raises ``UserError`` for anything else.
    """
    from datasets import Dataset

    if isinstance(data, Dataset):
        return data
    names = COLUMNS[KINDS[kind]["evaluator"]]
    wanted = "texts" if len(names) == 1 else f"pairs ({', '.join(names)})"
    says = f"a model for {kind} wants a list of {wanted}, a datasets.Dataset, a file, or the name of a task"
    if isinstance(data, Mapping) or not isinstance(data, Iterable):
        raise UserError(f"data is a {type(data).__name__}; {says}.")
    rows = [(row,) if isinstance(row, str) else tuple(row) if isinstance(row, list | tuple) else () for row in data]
    for place, row in enumerate(rows):
        if len(row) != len(names):
            raise UserError(f"data: example {place} is no {' and '.join(names)}; {says}.")
    return Dataset.from_list([dict(zip(names, row, strict=True)) for row in rows])


def subject_of_live(model: Any, task: Task | None, splits: dict[str, Any], tokenizer: Any, processor: Any) -> Subject:
    """The subject of a model in memory: a twin of it in eval mode, of modules of its own and the same tensors.

    Raises ``UserError`` for what is no model that Headroom prunes, and with all that keeps it from the task.
    """
    purpose, name = purpose_of(model), task.name if task else "none"
    twin = attention.twin(model).eval()
    reader = READERS.get(purpose, "tokenizer")
    given = {"tokenizer": copy.deepcopy(tokenizer), "processor": processor}
    if task and given[reader] is None:
        raise UserError(f"{reader} is missing: the data are for it to read. Give the one that the model came with.")
    if task and task.purpose != purpose:
        raise UserError(f"{task.file}: is for {task.purpose}, and a {type(model).__name__} is one for {purpose}.")
    spec = ModelSpec.model_validate({"source": {"folder": "."}, "tasks": [name]})
    named = {name: names_in(task, splits)} if task and "classification" in purpose else {}
    contract = contract_of(spec, twin, given["tokenizer"], given["processor"], named, WHERE)
    found = Findings(attention.troubles(twin))
    if given["tokenizer"] is not None:
        source = Source(WHERE)
        found += of_length(spec, twin.config, given["tokenizer"], purpose, source, WHERE)
        found += of_words(given["tokenizer"], twin.config, source)
    if task and not found:
        found += contract.troubles(task)
    found.settle()
    if task and "classification" in purpose:
        check_labels(splits, task, int(twin.config.num_labels or 0), f"{WHERE}: num_labels")
    return Subject(twin, purpose, spec, contract, task, splits, {IN_MEMORY: content(model)}, of_live(model))


def purpose_of(model: Any) -> str:
    """What a model in memory is for. Raises ``UserError`` for what is no whole model with a head for a task."""
    if not isinstance(model, nn.Module):
        raise UserError(f"model is a {type(model).__name__}; wanted a model of transformers, as from_pretrained gives.")
    attention.anatomy(model)  # of another class: it says so
    places = {weight.device for weight in model.parameters()}
    if len(places) > 1 or "meta" in {place.type for place in places}:
        raise UserError("model lies on several devices, or has no values yet. Load it whole, on one device.")
    found = attention.purpose_of_class(type(model).__name__)
    if found is None:
        endings = ", ".join(attention.PURPOSES)
        raise UserError(f"model is a {type(model).__name__}, which has no head for a task; wanted one of {endings}.")
    return found


def content(model: Any) -> str:
    """SHA-256 over class, config and every weight and buffer of a model: what all answers about it depend on."""
    config = model.config.to_dict() | {"attention": model.config._attn_implementation}
    dtypes = sorted({str(tensor.dtype) for tensor in model.state_dict().values()})
    said = [type(model).__name__, config, dtypes, hash_of_weights(model)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
