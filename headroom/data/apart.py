"""Examples by hash: splits that share none, and data that are the same wherever they were read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task
from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

# What a model sees of an example: two examples that agree here are the same one for the check of overlap.
SEEN = {
    "translation": ("source",),
    "classification": ("text",),
    "image-classification": ("image",),
    "bits-per-byte": ("text",),
    "multiple-choice": ("context", "choices"),
    "continuation": ("context",),
    "lm-eval": ("seen",),
}


def check_disjoint(splits: dict[str, Dataset], task: Task) -> None:
    """Raises ``UserError`` naming the task file and how many examples two splits share."""
    seen = {name: set(example_hashes(split, task)) for name, split in splits.items()}
    names = list(seen)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            shared = len(seen[first] & seen[second])
            if shared:
                raise UserError(
                    f"{task.file}: splits.{first} and splits.{second} share {shared} examples. "
                    "Give slices that do not meet, or 'overlap: drop' to leave shared examples out of the first."
                )


def without_overlap(splits: dict[str, Dataset], task: Task) -> dict[str, Dataset]:
    """Leave out of training what stands in calibrate or evaluate, and out of calibrate what stands in evaluate."""
    kept: dict[str, Dataset] = {}
    taken: set[str] = set()
    for name in reversed(list(splits)):
        hashes = example_hashes(splits[name], task)
        kept[name] = splits[name].select([row for row, value in enumerate(hashes) if value not in taken])
        if not len(kept[name]):
            others = " or ".join(other for other in kept if other != name)
            raise UserError(
                f"{task.file}: splits.{name} is empty: 'overlap: drop' left out all of its {len(hashes)} examples, "
                f"which stand in {others} too. Give slices that do not meet."
            )
        taken.update(hashes)
    return {name: kept[name] for name in splits}


def example_hashes(split: Dataset, task: Task) -> list[str]:
    """One hash for each example, over what the model sees of it."""
    seen = SEEN[task.evaluator] + (("pair",) if task.pair else ())
    return [_hash({column: row[column] for column in seen}) for row in split]


def data_hash(splits: dict[str, Dataset]) -> str:
    """SHA-256 over every value of every split, in order; images by their pixels. The same on every platform."""
    whole = hashlib.sha256()
    for name in sorted(splits):
        whole.update(name.encode())
        for row in splits[name]:
            whole.update(_hash(row).encode())
    return whole.hexdigest()


def _hash(row: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(image: Any) -> list[Any]:
    return [image.mode, image.size, hashlib.sha256(image.tobytes()).hexdigest()]
