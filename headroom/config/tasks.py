"""What a file ``tasks/<name>.yaml`` says: where the examples come from, how they are split and what is measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from headroom.config.data_source import Source, left_out
from headroom.config.lm_eval import LmEval, filled
from headroom.config.located import Section, inside, read_yaml, validated, wrong
from headroom.config.metrics import Metric, check_fit
from headroom.config.plain import shown
from headroom.errors import UserError, suggest

Evaluator = Literal[
    "translation",
    "classification",
    "image-classification",
    "bits-per-byte",
    "multiple-choice",
    "continuation",
    "lm-eval",
]

# What the model behind a task has to be able to do, as `ModelInfo.purpose` names it.
PURPOSES = {
    "translation": "translation",
    "classification": "classification",
    "image-classification": "image-classification",
    "bits-per-byte": "language",
    "multiple-choice": "language",
    "continuation": "language",
    "lm-eval": "language",
}

COLUMNS = {
    "translation": ("source", "target"),
    "classification": ("text", "label"),
    "image-classification": ("image", "label"),
    "bits-per-byte": ("text",),
    "multiple-choice": ("context", "choices", "gold"),
    "continuation": ("context", "continuation"),
    "lm-eval": (),
}

# Keys that say something about one kind of task only.
BELONGS = {
    "classes": ("classification", "image-classification"),
    "languages": ("translation",),
    "calibration": ("multiple-choice", "continuation"),
}

SLICE = re.compile(
    r"^(?P<name>[\w.-]+)(?:\[(?P<start>(?:-?\d+)?):(?P<stop>(?:-?\d+)?)(?::(?P<step>0*[1-9]\d*))?\])?$", re.ASCII
)


def _slice(text: str) -> str:
    if not SLICE.match(text):
        raise ValueError("a split is a name, or a name and a slice such as 'train[:4096]' or 'all[50::100]'")
    return text


def part_of(text: str) -> tuple[str, slice]:
    """A split's name and which of its rows, from the text that a task file has."""
    found = SLICE.match(text)
    assert found  # the schema has checked it
    start, stop, step = (int(found[key]) if found[key] else None for key in ("start", "stop", "step"))
    return found["name"], slice(start, stop, step)


Slice = Annotated[str, AfterValidator(_slice)]


class Splits(Section):
    """Which examples train, which a method may look at, and which score.

    Of an lm-eval task the first two may be left out, and the last one is lm-eval's to say.
    """

    train: Slice | None = None
    calibrate: Slice | None = Field(None, description="required unless lm_eval names the task")
    evaluate: Slice | None = Field(None, description="required unless lm_eval names the task")

    def named(self) -> dict[str, str]:
        """The splits that are there."""
        return {name: text for name, text in self if text is not None}


class Languages(Section):
    """The languages of a translation task, as the tokenizer calls them, or the first part of that: en, eng_Latn."""

    source: str = Field(min_length=1)
    target: str = Field(min_length=1)


def _asked_of_all(schema: dict[str, Any]) -> None:
    """Editors are told that a section `lm_eval` stands for four others."""
    follow = ["evaluator", "data", "splits", "metric"]
    schema["required"] = [key for key in schema["required"] if key not in follow]
    schema["anyOf"] = [{"required": ["lm_eval"]}, {"required": follow}]


class Task(Section):
    """One task file."""

    model_config = ConfigDict(json_schema_extra=lambda schema: _asked_of_all(schema))

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1, description="raise it whenever scores can change")
    summary: str
    evaluator: Evaluator
    data: Source
    splits: Splits
    columns: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="our column: the source's; two for a text of two parts, several for choices, the right one first "
        "unless gold is named",
    )
    classes: list[str] | None = Field(
        None,
        min_length=2,
        description="names of the classes in the order of the labels' numbers, or a text file with one a line",
    )
    languages: Languages | None = Field(None, description="of a translation")
    calibration: Literal["answer", "context"] | None = Field(
        None, description="what a task of questions calibrates on: context and right answer (default), or context"
    )
    lm_eval: LmEval | None = Field(
        None,
        description="one of lm-eval's own tasks; evaluator, data, splits and metric follow from it",
        exclude_if=left_out,
    )
    overlap: Literal["refuse", "drop"] = Field("refuse", description="of examples that stand in evaluate as well")
    metric: Metric
    licence: str
    cite: str

    @model_validator(mode="before")
    @classmethod
    def _of_lm_eval(cls, content: Any) -> Any:
        return filled(content) if isinstance(content, dict) and content.get("lm_eval") is not None else content

    @model_validator(mode="after")
    def _parts_fit(self) -> Task:
        self._lm_eval_fits()
        check_fit(self.metric, self.evaluator)
        for column, source in self.columns.items():
            if column not in COLUMNS[self.evaluator]:
                allowed = suggest(column, COLUMNS[self.evaluator])
                raise wrong(f"columns.{column}", f"{self.evaluator} has no such column. {allowed}")
            if isinstance(source, list):
                self._parts(column, source)
        for key, evaluators in BELONGS.items():
            if getattr(self, key) is not None and self.evaluator not in evaluators:
                raise wrong(key, f"belongs to {' and '.join(evaluators)}, and this is {self.evaluator}; leave it out")
        return self

    def _lm_eval_fits(self) -> None:
        """Raises the error of a validator where a key is missing or too many, which depends on the kind of task."""
        if self.lm_eval is None:
            if self.evaluator == "lm-eval":
                raise wrong("lm_eval", "this key is missing; it names the task")
            for key in ("calibrate", "evaluate"):
                if getattr(self.splits, key) is None:
                    raise wrong(f"splits.{key}", "this key is missing; add it")
            if self.data.of_lm_eval:
                raise wrong("data.of_lm_eval", "belongs to tasks that lm_eval names; leave it out")
            return
        if self.splits.evaluate is not None:
            raise wrong(
                "splits.evaluate", "lm-eval's own task says what is evaluated; leave it out", self.splits.evaluate
            )
        if self.data.hub:
            raise wrong("data.hub", "lm-eval's own task names it; pin it by lm_eval.revision", self.data.hub)
        if self.lm_eval.by and not (self.data.folder or self.data.made):
            raise wrong("lm_eval.by", "is about rows of 'data', and none are named; leave it out", self.lm_eval.by)

    def _parts(self, column: str, source: list[str]) -> None:
        """Raises the error of a validator for a list of columns where one is wanted, or of the wrong number."""
        if len(set(source)) < len(source):
            raise wrong(f"columns.{column}", "names a column twice", source)
        if column == "choices" and len(source) >= 2:
            return
        if (self.evaluator, column) == ("classification", "text") and len(source) in (1, 2):
            return
        of_choices, of_text = "for choices one, or two and more different ones", "for text one, or two"
        says = {"choices": of_choices, "text": of_text}.get(column, "of this kind there is one")
        raise wrong(f"columns.{column}", f"name one column; {says}", source)

    @property
    def pair(self) -> bool:
        """Whether a text has two parts, as premise and hypothesis have."""
        source = self.columns.get("text")
        return isinstance(source, list) and len(source) == 2

    @property
    def purpose(self) -> str:
        """What the model has to be able to do."""
        return PURPOSES[self.evaluator]

    @property
    def file(self) -> str:
        """Where the task is written down, for messages."""
        return f"tasks/{self.name}.yaml"


def same(name: str) -> str:
    """A class's name as it is compared: `Not_Entailment`, `not entailment` and `not-entailment` are one class."""
    return " ".join(re.split(r"[\s_-]+", name.strip().casefold()))


def tasks_folder() -> Path:
    """The folder ``tasks`` of the project: beside the package, or else in the working directory."""
    beside = Path(__file__).resolve().parents[2] / "tasks"
    return beside if beside.is_dir() else Path.cwd() / "tasks"


def _listed(name: str, project: Path, where: str) -> list[str]:
    """The lines of a text file that names classes, for there may be a thousand of them."""
    try:
        lines = (project / inside(name)).read_text(encoding="utf-8").splitlines()
    except (ValueError, OSError) as error:  # a path that leads out, no file, no text
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"{where}: classes is {shown(name)}: {why}. Give a list of names, or a file in tasks/ with one a line."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def load_task(name: str, folder: Path | None = None) -> Task:
    """Read and check ``tasks/<name>.yaml``. Raises ``UserError`` naming file, key and what is allowed."""
    folder = folder or tasks_folder()
    path = folder / f"{name}.yaml"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        raise UserError(f"There is no task {shown(name)}. {suggest(name, (p.stem for p in folder.glob('*.yaml')))}")
    where = f"tasks/{path.name}"
    content = read_yaml(path)
    if isinstance(content.get("classes"), str):
        content["classes"] = _listed(content["classes"], folder.parent, where)
    task = validated(Task, content, where)
    if task.name != name:
        raise UserError(f"{where}: name is {task.name!r}; it has to be {name!r}, as the file is called.")
    return task
