"""A model with all that is needed to use it again: tokenizer or image processor, and what it wants of its input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import Task
from headroom.data.processors import processor_for
from headroom.models.sources import Source

if TYPE_CHECKING:
    from headroom.data.contract import Contract

CONTRACT = "headroom_contract.json"


def readers(spec: ModelSpec, task: Task, model: Any, where: str, source: Source | None = None) -> tuple[Any, Any]:
    """The tokenizer and the image processor of a model, of which one is None: its own, or a processor made for it."""
    if task.purpose != "image-classification":
        return source.tokenizer if source else None, None
    place, how = (source.place, (source.revision, source.trust_remote_code)) if source else (None, ())
    return None, processor_for(spec.image, model.config, f"{where}.image", place, *how)


def save(folder: Path, model: Any, contract: Contract) -> None:
    """Write a dense model as the library does, and what goes with it."""
    model.save_pretrained(folder)
    save_readers(folder, contract)


def save_readers(folder: Path, contract: Contract, stated: Mapping[str, str] | None = None) -> None:
    """Write the tokenizer or image processor, and what the model is told of its input, in words, where it is known."""
    for reader in (contract.tokenizer, contract.processor):
        if reader is not None:
            reader.save_pretrained(folder)
    if stated:
        (folder / CONTRACT).write_text(json.dumps(dict(stated), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
