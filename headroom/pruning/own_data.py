"""A user's own file of examples as a task: its kind says what is measured, hashes say what calibrates and scores."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import Field

from headroom.config.located import validated
from headroom.config.tasks import COLUMNS, Task
from headroom.data.apart import example_hashes
from headroom.data.columns import normalised
from headroom.data.words import said, silent
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from datasets import Dataset

READABLE = (".txt", ".jsonl", ".csv", ".parquet")
KINDS: dict[str, dict[str, Any]] = {
    "text": {
        "evaluator": "bits-per-byte",
        "metric": {"name": "bits-per-byte", "better": "lower", "unit": "bits per byte", "chance": "unigram"},
    },
    "classification": {
        "evaluator": "classification",
        "metric": {"name": "accuracy", "better": "higher", "unit": "%", "chance": "majority"},
    },
    "image-classification": {
        "evaluator": "image-classification",
        "metric": {"name": "accuracy", "better": "higher", "unit": "%", "chance": "majority"},
    },
    "translation": {
        "evaluator": "translation",
        "metric": {"name": "bleu", "better": "higher", "unit": "BLEU", "chance": 0},
    },
}
FEWEST = 2  # different examples on either side


class OwnTask(Task):
    """A task that stands in no file of the project."""

    own: str = Field("", exclude=True)  # where the examples are, for messages

    @property
    def file(self) -> str:
        return self.own


@dataclass(frozen=True)
class OwnData:
    """What the options say: ``--data``, ``--kind`` and ``--column``."""

    file: Path
    kind: str
    columns: tuple[str, ...] = ()  # ours=theirs

    @classmethod
    def of(cls, data: Path | None, kind: str | None, columns: Sequence[str], task: str | None) -> OwnData | None:
        """The user's file; None where ``data`` is the folder of local data, or nothing.

        Raises ``UserError`` for options that do not go together, and for a file of another kind.
        """
        if data is None or data.is_dir() or (not data.is_file() and data.suffix not in READABLE):
            if kind or columns:
                option = "--kind" if kind else "--column"
                raise UserError(f"{option} is about a file of examples. Name one with --data: {', '.join(READABLE)}.")
            return None
        if not data.is_file():
            raise UserError(f"--data {data}: there is no such file.")
        if data.suffix not in READABLE:
            raise UserError(f"--data {data}: files of examples end in {', '.join(READABLE)}.")
        if task:
            raise UserError(f"--task {task} has data of its own: leave it out, or --data {data}.")
        kind = kind or ("text" if data.suffix == ".txt" else "")
        if kind not in KINDS:
            named = f"is {kind!r}" if kind else "is missing"
            raise UserError(f"--kind {named}, which says what the examples of {data} are. {suggest(kind, KINDS)}")
        if data.suffix == ".txt" and kind != "text":
            raise UserError(f"--data {data}: a .txt holds text alone. For {kind} give a table: .jsonl, .csv, .parquet.")
        return cls(data, kind, tuple(columns))

    def load(self) -> tuple[Task, dict[str, Any]]:
        """The task, and its splits ``calibrate`` and ``evaluate``, which share no example.

        Raises ``UserError`` for a file that cannot be read, is empty, or lacks a column.
        """
        return task_of(read(self.file), self.kind, self._columns(), self.file.name, f"--data {self.file}")

    def _columns(self) -> dict[str, str]:
        allowed, found = COLUMNS[KINDS[self.kind]["evaluator"]], {}
        for pair in self.columns:
            ours, _, theirs = pair.partition("=")
            if ours not in allowed or not theirs:
                raise UserError(f"--column {pair}: wanted OURS=YOURS. {suggest(ours, allowed)}")
            found[ours] = theirs
        return found


def task_of(rows: Dataset, kind: str, columns: dict[str, str], called: str, where: str) -> tuple[Task, dict[str, Any]]:
    """Rows of a kind as a task with its splits ``calibrate`` and ``evaluate``, which share no example.

    ``columns`` are theirs by ours, where they are not called the same. Raises ``UserError`` where there is none, where
    a column is missing, and where a split would hold next to nothing.
    """
    if not len(rows):
        raise UserError(f"{where}: holds no examples.")
    known = rows.column_names
    for ours in COLUMNS[KINDS[kind]["evaluator"]]:
        if columns.get(ours, ours) not in known:
            wants = f"--kind {kind} wants a column {columns.get(ours, ours)!r}"
            raise UserError(f"{where}: {wants}. Name yours with --column {ours}=NAME. {suggest(ours, known)}")
    task = _task(rows, kind, columns, called, where)
    return task, halves(normalised(rows, task), task)


def _task(rows: Dataset, kind: str, columns: dict[str, str], called: str, where: str) -> Task:
    """Classes that are written out are numbered in the order of the alphabet; the model finds its own by name."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(called).stem.lower()).strip("-") or "data"
    stated: dict[str, Any] = {
        **KINDS[kind],
        "name": name,
        "version": 1,
        "summary": f"Examples of {called}.",
        "data": {"folder": {"rows": Path(called).name}},
        "splits": {"calibrate": "rows", "evaluate": "rows"},
        "columns": columns,
        "licence": "the user's",
        "cite": "the user's",
        "own": where,
    }
    if "classification" in kind:
        label = columns.get("label", "label")
        if getattr(rows.features[label], "dtype", "") in ("string", "large_string"):
            stated["classes"] = sorted(one for one in rows.unique(label) if one is not None)
    return validated(OwnTask, stated, where)


def read(file: Path) -> Dataset:
    """The rows of a file. A text has a row a paragraph where blank lines part them, else a row a line."""
    from datasets import Dataset

    with TemporaryDirectory() as cache, silent():
        how: dict[str, Any] = {"cache_dir": cache, "keep_in_memory": True}
        try:
            if file.suffix == ".txt":
                apart = re.search(r"\S.*\n\s*\n\s*\S", file.read_text(encoding="utf-8")) is not None
                rows = Dataset.from_text(str(file), sample_by="paragraph" if apart else "line", **how)
                return rows.filter(lambda row: row["text"].strip() != "", **{"keep_in_memory": True})
            reader = {".jsonl": Dataset.from_json, ".csv": Dataset.from_csv, ".parquet": Dataset.from_parquet}
            return reader[file.suffix](str(file), **how)
        except Exception as error:  # of many kinds, by what reads the file
            if file.stat().st_size == 0:
                raise UserError(f"--data {file}: holds no examples.") from None
            cause = error.__cause__ or error
            raise UserError(f"--data {file}: cannot be read as {file.suffix[1:]}: {said(cause)}") from None


def halves(rows: Dataset, task: Task) -> dict[str, Dataset]:
    """One half calibrates and the other scores, by the hash of what the model sees; an example counts once.

    Raises ``UserError`` where a half would hold next to nothing.
    """
    places = {digest: place for place, digest in reversed(list(enumerate(example_hashes(rows, task))))}
    sides: dict[str, list[int]] = {"calibrate": [], "evaluate": []}
    for digest, place in places.items():
        sides["calibrate" if int(digest[:8], 16) % 2 else "evaluate"].append(place)
    if any(len(side) < FEWEST for side in sides.values()):
        raise UserError(
            f"{task.file}: holds {len(places)} different examples, too few to calibrate on some and score others. "
            "A few hundred are wanted."
        )
    return {name: rows.select(sorted(side)) for name, side in sides.items()}
