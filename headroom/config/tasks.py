"""What a file ``tasks/<name>.yaml`` says: where the examples come from, how they are split and what is measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headroom.config.located import InsidePath, Section, read_yaml, validated
from headroom.errors import UserError, suggest

Evaluator = Literal["translation", "classification", "image-classification", "bits-per-byte", "multiple-choice"]

# What the model behind a task has to be able to do, as `ModelInfo.purpose` names it.
PURPOSES = {
    "translation": "translation",
    "classification": "classification",
    "image-classification": "image-classification",
    "bits-per-byte": "language",
    "multiple-choice": "language",
}

COLUMNS = {
    "translation": ("source", "target"),
    "classification": ("text", "label"),
    "image-classification": ("image", "label"),
    "bits-per-byte": ("text",),
    "multiple-choice": ("context", "choices", "gold"),
}

SLICE = re.compile(r"^(?P<name>[\w.-]+)(?:\[(?P<start>-?\d*):(?P<stop>-?\d*)(?::(?P<step>\d+))?\])?$")


def _slice(text: str) -> str:
    if not SLICE.match(text):
        raise ValueError("a split is a name, or a name and a slice such as 'train[:4096]' or 'all[50::100]'")
    return text


Slice = Annotated[str, AfterValidator(_slice)]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Source(Section):
    """Where the examples come from: made by code, read from local files, or fetched from the Hub."""

    made: InsidePath[str] | None = Field(None, description="python file with make(seed) -> {split: rows}")
    seed: int = Field(0, description="given to make")
    folder: dict[str, InsidePath[str]] | None = Field(
        None, description="parquet file of each split, under HEADROOM_DATA"
    )
    hub: str | None = Field(None, description="data set id on the Hub")
    config: str | None = Field(None, description="name of the data set's configuration on the Hub")
    revision: Revision | None = Field(None, description="commit on the Hub: 40 hex digits")

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.made is None) == (self.folder is None and self.hub is None):
            raise ValueError("give either 'made', or 'folder' and/or 'hub'")
        if self.hub and not self.revision:
            raise ValueError("a Hub id needs a 'revision' of 40 hex digits, so that the data cannot change")
        return self


class Splits(Section):
    """Which examples train, which a method may look at, and which score."""

    train: Slice | None = None
    calibrate: Slice
    evaluate: Slice

    def named(self) -> dict[str, str]:
        """The splits that are there."""
        return {name: text for name, text in self if text is not None}


class Metric(Section):
    """What is measured, and the level that a model without skill reaches, in the same unit (accuracy in per cent)."""

    name: Literal["bleu", "accuracy", "bits-per-byte"]
    better: Literal["higher", "lower"]
    unit: str
    chance: float | Literal["majority", "unigram", "uniform"]


class Task(Section):
    """One task file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1, description="raise it whenever scores can change")
    summary: str
    evaluator: Evaluator
    data: Source
    splits: Splits
    columns: dict[str, str | list[str]] = Field(default_factory=dict, description="our column: the source's column")
    overlap: Literal["refuse", "drop"] = Field("refuse", description="of examples that stand in evaluate as well")
    metric: Metric
    licence: str
    cite: str

    @property
    def purpose(self) -> str:
        """What the model has to be able to do."""
        return PURPOSES[self.evaluator]

    @property
    def file(self) -> str:
        """Where the task is written down, for messages."""
        return f"tasks/{self.name}.yaml"


def tasks_folder() -> Path:
    """The folder ``tasks`` of the project: beside the package, or else in the working directory."""
    beside = Path(__file__).resolve().parents[2] / "tasks"
    return beside if beside.is_dir() else Path.cwd() / "tasks"


def load_task(name: str, folder: Path | None = None) -> Task:
    """Read and check ``tasks/<name>.yaml``. Raises ``UserError`` naming file, key and what is allowed."""
    folder = folder or tasks_folder()
    path = folder / f"{name}.yaml"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        raise UserError(f"There is no task {name!r}. {suggest(name, (p.stem for p in folder.glob('*.yaml')))}")
    where = f"tasks/{path.name}"
    task = validated(Task, read_yaml(path), where)
    if task.name != name:
        raise UserError(f"{where}: name is {task.name!r}; it has to be {name!r}, as the file is called.")
    for column in task.columns:
        if column not in COLUMNS[task.evaluator]:
            raise UserError(f"{where}: unknown key 'columns.{column}'. {suggest(column, COLUMNS[task.evaluator])}")
    return task
