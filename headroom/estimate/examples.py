"""How many evaluation examples a task has, and how long they are, without fetching anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headroom.config.tasks import Task, part_of
from headroom.data.loading import data_folder, load_splits, splits_of_hub
from headroom.evaluate.batching import LETTERS, letters

CHOICES = 4  # of a question, and 64 tokens each with what is asked
ANSWERED = 64


@dataclass(frozen=True)
class Expected:
    """Examples that are scored, None where it cannot be known yet, and the tokens of one where texts are here."""

    evaluator: str
    count: int | None
    each: float | None = None

    def tokens(self, length: int) -> int:
        """Tokens through the model for a point, padding included; ``length`` is that of the longest input."""
        if self.evaluator == "image-classification":
            return self.count or 0
        usual = {name: length / 2 for name in ("translation", "classification", "continuation")}
        one = (usual | {"bits-per-byte": length}).get(self.evaluator, CHOICES * min(length, ANSWERED))
        if self.each is not None:
            answers = 1 if self.evaluator == "continuation" else CHOICES
            one = self.each if self.evaluator == "bits-per-byte" else min(self.each, answers * length)
        return round((self.count or 0) * one * (2 if self.evaluator == "translation" else 1))


def at_hand(task: Task, data: Path | None) -> bool:
    """Whether all rows of a task are here: made, or files in HEADROOM_DATA."""
    folder = data_folder(data)
    if task.data.of_lm_eval or (task.lm_eval and not (task.data.made or task.data.folder)):
        return False
    if task.data.made:
        return True
    if splits_of_hub(task, folder):
        return False
    return folder is not None and all((folder / file).is_file() for file in (task.data.folder or {}).values())


def expected(task: Task, data: Path | None) -> Expected:
    """From the rows where they are here, else from the slice that the task takes. Raises ``UserError`` as loading."""
    if at_hand(task, data):
        rows = load_splits(task, data)["evaluate"]
        size = None if task.evaluator == "image-classification" else sum(map(letters, rows)) / LETTERS / len(rows)
        return Expected(task.evaluator, len(rows), size)
    if task.lm_eval is not None:
        return Expected(task.evaluator, task.lm_eval.limit)
    return Expected(task.evaluator, sliced(str(task.splits.evaluate)))


def sliced(text: str) -> int | None:
    """The rows that a slice takes, if there are as many; None where it has no end, or counts from it."""
    _, part = part_of(text)
    start, stop = part.start or 0, part.stop
    if stop is None or stop < 0 or start < 0:
        return None
    return len(range(start, stop, part.step or 1))
