"""A dense model is made: trained from nothing or from a pretrained one, or taken as it came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import Task
from headroom.data.batches import batches
from headroom.data.choices import texts_of
from headroom.data.contract import has_segments
from headroom.data.tokenize import train_tokenizer
from headroom.models.checkpoints import keeping
from headroom.models.configs import config_of
from headroom.models.heads import begun
from headroom.models.loading import Names, build, contract_of
from headroom.models.placement import HERE, Placement
from headroom.models.readers import readers
from headroom.models.sources import Source
from headroom.models.weights import check_numbers
from headroom.training.fit import fit

if TYPE_CHECKING:
    from datasets import Dataset

    from headroom.data.contract import Contract

    Splits = dict[str, Dataset]


def make(
    spec: ModelSpec,
    task: Task,
    splits: Splits,
    name: str,
    source: Source | None,
    named: Names,
    device: str,
    draft: Path,
) -> tuple[Any, Contract, list[Any]]:
    """Model, what it wants of its input, and loss curve; of a pretrained one no weights, which are looked through.

    Weights that ``train.checkpoints`` asks for are written to ``draft`` on the way.
    """
    where = f"params.yaml: models.{name}"
    if spec.train is None:
        assert source is not None  # nothing else is left to be without a training
        model = source.shape(task.purpose)
        check_numbers(source.folder, str(source))
        feeding = readers(spec, task.purpose, model.config, where, source)
        return model, contract_of(spec, model, *feeding, named, str(source)), []
    data = splits.get("train", splits["calibrate"])
    if source is not None:
        model = begun(source, task.purpose, spec.train)
        tokenizer, processor = readers(spec, task.purpose, model.config, where, source)
    else:
        tokenizer = tokenizer_of(spec, task, data, where)
        torch.manual_seed(spec.train.seed)
        model = build(spec, task.purpose, tokenizer, classes=named[task.name])
        _, processor = readers(spec, task.purpose, model.config, where)
    settings = spec.train.model_dump(exclude={"threads", "checkpoints"})
    length, batch = settings.pop("length"), settings.pop("batch")
    contract = contract_of(spec, model, tokenizer, processor, named, where)
    stream = batches(data, replace(contract, length=length).collator(task), batch, seed=spec.train.seed, endless=True)
    placement = Placement(device)
    model = placement.put(model)
    keep = keeping(model, draft, spec.train.checkpoints)
    losses = fit(model, stream, label=name, on_step=keep, **settings)
    return HERE.put(model), contract, losses


def tokenizer_of(spec: ModelSpec, task: Task, data: Dataset, where: str) -> Any:
    """The tokenizer of a model that is made here, trained on its texts; None for one of images."""
    if spec.tokenizer.kind == "none":
        return None
    parts = task.pair and has_segments(config_of(spec.source.config or {}, f"{where}.source.config"))
    words, ends = texts(data, task.calibration), task.purpose != "language"
    return train_tokenizer(spec.tokenizer, words, ends=ends, segments=parts)


def texts(data: Dataset, calibration: str | None = None) -> Iterable[str]:
    """Every text of a split, to train a tokenizer on; of questions what a model is trained on, see ``texts_of``."""
    columns = [column for column in ("source", "target", "text", "pair") if column in data.column_names]
    return (text for column in columns for text in data[column]) if columns else texts_of(data, calibration)
