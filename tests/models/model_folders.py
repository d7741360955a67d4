"""Model folders as people have them, of toy size: whole ones, and what may be wrong with one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from safetensors.torch import load_file, save_file

from headroom.attention import toy
from headroom.config.model_spec import ImageSpec, TokenizerSpec
from headroom.config.tasks import load_task
from headroom.data.loading import load_splits
from headroom.data.processors import made_processor
from headroom.data.tokenize import train_tokenizer
from headroom.data.words import quiet

TASKS = {
    "bert": "toy-classification",
    "roberta": "toy-classification",
    "llama": "toy-language",
    "gpt2": "toy-language",
    "vit": "toy-images",
    "m2m_100": "toy-translation",
    "t5": "toy-translation",
}
KINDS = {"toy-classification": "wordpiece", "toy-language": "bpe", "toy-translation": "word"}
SIZES = {
    "bert": {"num_labels": 2},
    "roberta": {"num_labels": 2},
    "vit": {"image_size": 8, "patch_size": 4, "num_channels": 1, "num_labels": 4},
}


def save_folder(family: str, folder: Path) -> Path:
    """A model of a family that is fit for its task of ``TASKS``, with what feeds it."""
    shutil.copytree(_made(family), folder)
    return folder


@cache
def _made(family: str) -> Path:
    folder = Path(mkdtemp(prefix="headroom-folders-")) / family
    task = load_task(TASKS[family])
    changes: dict[str, Any] = dict(SIZES.get(family, {}))
    reader = None
    if task.purpose != "image-classification":
        train = load_splits(task)["train"]
        texts = [
            text for column in ("text", "source", "target") if column in train.column_names for text in train[column]
        ]
        reader = train_tokenizer(TokenizerSpec(kind=KINDS[task.name], size=300), texts, task.purpose != "language")
        names = ("pad_token_id", "bos_token_id", "eos_token_id")
        changes |= {"vocab_size": len(reader)} | {name: getattr(reader, name) for name in names}
        if task.purpose == "translation":
            changes["decoder_start_token_id"] = reader.bos_token_id
    with quiet():
        model = toy(family, **changes)
        model.save_pretrained(folder)
    (reader or made_processor(ImageSpec(mean=0.5, std=0.5), model.config)).save_pretrained(folder)
    return folder


def edit(folder: Path, name: str = "config.json", **keys: Any) -> None:
    """Write other values into a file of JSON; None takes a key away."""
    content = json.loads((folder / name).read_text())
    content |= keys
    (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def reweigh(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the names or the tensors of the weights; ``change`` gets them by name."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
