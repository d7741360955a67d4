"""What the section `metric` of a task file says: how answers become a number, and what no skill would reach."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from headroom.config.located import Section, wrong
from headroom.errors import suggest

# What each kind of task can be scored in.
METRICS = {
    "translation": ("bleu", "chrf", "chrf++"),
    "classification": ("accuracy",),
    "image-classification": ("accuracy",),
    "bits-per-byte": ("bits-per-byte",),
    "multiple-choice": ("accuracy",),
    "continuation": ("accuracy",),
}

LOWER = ("bits-per-byte", "byte-perplexity", "word-perplexity", "perplexity")  # of these less is better

# The level without skill, where it is counted in the data; a number may stand for it everywhere.
COUNTED = {
    "classification": "majority",
    "image-classification": "majority",
    "bits-per-byte": "unigram",
    "multiple-choice": "uniform",
}

# Settings that say something about some metrics only.
SETTINGS = {"tokenize": ("bleu",), "lowercase": ("bleu", "chrf", "chrf++"), "by_length": ("accuracy",)}


class Metric(Section):
    """What is measured, and the level that a model without skill reaches, in the same unit (accuracy in per cent).

    chrF counts letters, and any two texts of one language share some: without skill it is well above 0.
    """

    name: Literal[
        "bleu",
        "chrf",
        "chrf++",
        "accuracy",
        "exact-match",
        "bits-per-byte",
        "byte-perplexity",
        "word-perplexity",
        "perplexity",
    ]
    better: Literal["higher", "lower"]
    unit: str
    chance: float | Literal["majority", "unigram", "uniform"]
    tokenize: str | None = Field(None, description="sacreBLEU's tokenizer of bleu; without it 13a")
    lowercase: bool = Field(False, description="whether translations and references are compared in lower case")

    by_length: bool = Field(
        False, description="of several choices the likeliest for its letters is the answer, lm-eval's acc_norm"
    )

    @model_validator(mode="after")
    def _reads_right(self) -> Metric:
        less = self.name in LOWER
        if self.better != ("lower" if less else "higher"):
            raise wrong("better", f"of {self.name} the {'lower' if less else 'higher'} is the better", self.better)
        self._settings_fit()
        if isinstance(self.chance, str):
            return self
        if less and self.chance <= 0:
            raise wrong("chance", f"{self.name.replace('-', ' ')} without skill is above 0", self.chance)
        if not less and not 0 <= self.chance < 100:
            raise wrong("chance", f"{self.name} goes from 0 to 100, and without skill none reaches 100", self.chance)
        return self

    def _settings_fit(self) -> None:
        for key, metrics in SETTINGS.items():
            if key in self.model_fields_set and self.name not in metrics:
                raise wrong(key, f"belongs to {listed(metrics)}, and this is {self.name}; leave it out")
        if self.tokenize is None:
            return
        from sacrebleu.metrics import BLEU  # a tenth of a second, for those alone who name a tokenizer

        if self.tokenize not in BLEU.TOKENIZERS:
            near = suggest(self.tokenize, BLEU.TOKENIZERS)
            raise wrong("tokenize", f"sacreBLEU has no such tokenizer. {near}", self.tokenize)

    @model_serializer(mode="wrap")
    def _as_stated(self, plainly: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the settings that are not stated: what was kept under a hash of the others stays where it is."""
        return {key: value for key, value in plainly(self).items() if key not in SETTINGS or value}


def check_fit(metric: Metric, evaluator: str) -> None:
    """Raises the error of a validator for a metric, or a level without skill, that this kind of task does not have."""
    if evaluator == "lm-eval":  # its metric follows from what lm-eval measures
        return
    allowed, counted, name = METRICS[evaluator], COUNTED.get(evaluator), metric.name
    if name not in allowed:
        raise wrong("metric.name", f"{evaluator} is scored in {listed(allowed, 'or')}, and in nothing else", name)
    if metric.by_length and evaluator != "multiple-choice":
        raise wrong("metric.by_length", "belongs to multiple-choice; leave it out", metric.by_length)
    if isinstance(metric.chance, str) and metric.chance != counted:
        levels = f"'{counted}' or a number" if counted else "a number"
        raise wrong("metric.chance", f"that is not counted for {evaluator}; allowed: {levels}", metric.chance)


def listed(names: tuple[str, ...], word: str = "and") -> str:
    """Names as a sentence has them: a, b and c."""
    return f" {word} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
