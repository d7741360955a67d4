"""What the section `metric` of a task file says: how answers become a number, and what no skill would reach."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from headroom.config.located import Section, wrong

METRICS = {
    "translation": "bleu",
    "classification": "accuracy",
    "image-classification": "accuracy",
    "bits-per-byte": "bits-per-byte",
    "multiple-choice": "accuracy",
}

# The level without skill, where it is counted in the data; a number may stand for it everywhere.
COUNTED = {
    "classification": "majority",
    "image-classification": "majority",
    "bits-per-byte": "unigram",
    "multiple-choice": "uniform",
}


class Metric(Section):
    """What is measured, and the level that a model without skill reaches, in the same unit (accuracy in per cent)."""

    name: Literal["bleu", "accuracy", "bits-per-byte"]
    better: Literal["higher", "lower"]
    unit: str
    chance: float | Literal["majority", "unigram", "uniform"]

    @model_validator(mode="after")
    def _reads_right(self) -> Metric:
        bits = self.name == "bits-per-byte"
        if self.better != ("lower" if bits else "higher"):
            raise wrong("better", f"of {self.name} the {'lower' if bits else 'higher'} is the better", self.better)
        if isinstance(self.chance, str):
            return self
        if bits and self.chance <= 0:
            raise wrong("chance", "bits per byte without skill are above 0", self.chance)
        if not bits and not 0 <= self.chance < 100:
            raise wrong("chance", f"{self.name} goes from 0 to 100, and without skill none reaches 100", self.chance)
        return self
