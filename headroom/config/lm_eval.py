"""What the section `lm_eval` of a task file says: one of lm-eval's own tasks, or a group of them, by its name.

Such a file is short: what is asked, in which words, and how an answer is scored is lm-eval's own. What the other
sections of a task file say of these is filled in here, so that all that reads a task finds it where it always is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from headroom.config.located import Section, wrong
from headroom.errors import suggest

# lm-eval's metric: ours, which way is better, its unit, and the level without skill unless the file states another.
MEASURES: dict[str, tuple[str, str, str, float | str | None]] = {
    "acc": ("accuracy", "higher", "%", "uniform"),
    "acc_norm": ("accuracy", "higher", "%", "uniform"),
    "acc_bytes": ("accuracy", "higher", "%", "uniform"),
    "acc_mutual_info": ("accuracy", "higher", "%", "uniform"),
    "exact_match": ("exact-match", "higher", "%", 0.0),
    "bits_per_byte": ("bits-per-byte", "lower", "bits per byte", "unigram"),
    "byte_perplexity": ("byte-perplexity", "lower", "perplexity of a byte", "unigram"),
    "word_perplexity": ("word-perplexity", "lower", "perplexity of a word", "unigram"),
    "perplexity": ("perplexity", "lower", "perplexity of an answer", None),
}

# Keys of a task file that lm-eval's task says itself.
OWN = ("columns", "classes", "languages", "calibration")


def _measured(name: str) -> str:
    if name not in MEASURES:
        raise ValueError(f"of lm-eval's metrics these are kept an example each: {suggest(name, MEASURES)}")
    return name


class LmEval(Section):
    """One of lm-eval's tasks, or a group of them such as `mmlu`."""

    task: str = Field(pattern=r"^[\w.+:-]+$", description="what lm-eval calls the task, or a group of tasks")
    metric: Annotated[str, AfterValidator(_measured)] = Field(
        description="one of the task's metrics", json_schema_extra={"enum": list(MEASURES)}
    )
    filter: str | None = Field(
        None, description="what is read of an answer that was generated, where the task has several such filters"
    )
    shots: int | None = Field(
        None,
        ge=0,
        description="solved examples in front of each question; without it what lm-eval's task says, or none",
    )
    limit: int | None = Field(None, ge=1, description="the first so many documents of each task; without it all")
    chance: float | Literal["uniform", "majority"] | None = Field(
        None,
        description="the level without skill; majority where all questions have the same answers, as yes and no have",
    )
    revision: str | None = Field(
        None, pattern=r"^[0-9a-f]{40}$", description="commit of the task's data set on the Hub: 40 hex digits"
    )
    by: str | None = Field(
        None, description="column that names the task of a group to which a row of a local file belongs"
    )

    @model_validator(mode="after")
    def _level(self) -> LmEval:
        _, better, _, usual = MEASURES[self.metric]
        if self.chance is None:
            if usual is None:
                raise wrong("chance", f"this key is missing; {self.metric} has no level without skill of its own")
        elif isinstance(self.chance, str):
            if usual != "uniform":
                raise wrong("chance", f"that is not counted for {self.metric}; give a number", self.chance)
        elif better == "lower" and self.chance <= 0:
            raise wrong("chance", f"{self.metric} without skill is above 0", self.chance)
        elif better == "higher" and not 0 <= self.chance < 100:
            raise wrong("chance", f"{self.metric} goes from 0 to 100, and without skill none reaches 100", self.chance)
        return self

    @property
    def measure(self) -> dict[str, Any]:
        """The section `metric` that follows."""
        name, better, unit, chance = MEASURES[self.metric]
        return {"name": name, "better": better, "unit": unit, "chance": chance if self.chance is None else self.chance}


def filled(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a task file with a section `lm_eval` says, with all that follows from it.

    Raises the error of a validator for a key that lm-eval's task says itself. What is wrong within the section is left
    for the section to say.
    """
    for key in OWN:
        if content.get(key):
            raise wrong(key, "is said by lm-eval's own task, which lm_eval names; leave it out")
    how = content["lm_eval"]
    measure = {"name": "accuracy", "better": "higher", "unit": "%", "chance": 0.0}  # not seen: `how` is wrong
    if isinstance(how, LmEval) or (isinstance(how, Mapping) and _in_order(how)):
        measure = (how if isinstance(how, LmEval) else LmEval.model_validate(how)).measure
    follows = {"evaluator": "lm-eval", "metric": measure}
    for key, value in follows.items():
        if content.get(key) not in (None, value):
            raise wrong(key, f"follows from lm_eval ({_said(value)}); leave it out")
    return {"data": {"of_lm_eval": True}, "splits": {}, **content, **follows}


def _in_order(how: Mapping[str, Any]) -> bool:
    try:
        LmEval.model_validate(how)
    except ValueError:
        return False
    return True


def _said(value: Any) -> str:
    return value["name"] if isinstance(value, Mapping) else str(value)
