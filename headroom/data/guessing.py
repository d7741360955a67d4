"""What a model without skill reaches on the rows of one of lm-eval's own tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def guessed(rows: Dataset) -> float:
    """Per cent right when every choice is as likely, documents weighing as they do in the score."""
    pairs = list(zip(rows["guess"], rows["weight"], strict=True))
    return 100 * sum(guess * weight for guess, weight in pairs) / sum(weight for _, weight in pairs)


def commonest(rows: Dataset) -> float:
    """Per cent right for who always takes the same place: the level of yes and no, where one is the more frequent."""
    weights: dict[int, float] = {}
    for right, weight in zip(rows["right"], rows["weight"], strict=True):
        weights[right] = weights.get(right, 0) + weight
    return 100 * max(weights.values()) / sum(weights.values())


def per_unit(metric: str, bits_per_byte: float, rows: Dataset) -> float:
    """Bits per byte of the running texts as bits per byte, or perplexity, of what lm-eval counts in them."""
    size = sum(len(text.encode()) for text in rows["text"])
    bits = bits_per_byte * size / sum(rows["units"])
    return float(bits if metric == "bits-per-byte" else 2**bits)
