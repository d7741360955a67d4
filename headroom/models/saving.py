"""A model with all that is needed to use it again: tokenizer or image processor, and what it wants of its input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom import attention

if TYPE_CHECKING:
    from headroom.config.tasks import Task
    from headroom.data.contract import Contract

CONTRACT = "headroom_contract.json"


def save(folder: Path, model: Any, contract: Contract, tasks: Sequence[Task]) -> None:
    """Write a model as the library does, or as one that Headroom has pruned before, and what goes with it."""
    begin(model, contract, tasks)
    if attention.removed_units(model):
        attention.save_removed(model, folder)
    else:
        model.save_pretrained(folder)
    save_readers(folder, contract, tasks)


def begin(model: Any, contract: Contract, tasks: Sequence[Task]) -> None:
    """Make a translator begin in the language of its tasks, where that has to be said and they have one in common.

    It is part of what is saved, so that a plain ``generate`` begins there too.
    """
    said = [dict(contract.spoken(task).generation) for task in tasks if task.purpose == "translation"]
    if said and all(one == said[0] for one in said):
        for key, token in said[0].items():
            setattr(model.generation_config, key, token)


def save_readers(folder: Path, contract: Contract, tasks: Sequence[Task]) -> None:
    """Write the tokenizer or image processor, and what the model is told of its input in each task, in words."""
    for reader in (contract.tokenizer, contract.processor):
        if reader is not None:
            reader.save_pretrained(folder)
    if tasks:
        stated = {task.name: contract.stated(task) for task in tasks}
        (folder / CONTRACT).write_text(json.dumps(stated, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
