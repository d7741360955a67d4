"""What a model without skill reaches on a task, counted in its rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task
from headroom.data.choices import texts_of

if TYPE_CHECKING:
    from datasets import Dataset

    Splits = Mapping[str, Dataset]


def chance(task: Task, splits: Splits, first: Task, seen: Splits, tokenizer: Any) -> float:
    """What a model without skill reaches, in the unit of the metric.

    ``majority``: per cent of the evaluation examples in the commonest class. ``uniform``: per cent right when every
    choice is as likely. ``unigram``: bits per byte of single-token counts in what the model was trained on, the
    splits ``seen`` of its ``first`` task.
    """
    said = task.metric.chance
    if task.lm_eval and said in ("uniform", "majority"):
        return (guessed if said == "uniform" else commonest)(splits["evaluate"])
    if said == "majority":
        labels = Counter(splits["evaluate"]["label"])
        return 100 * max(labels.values()) / labels.total()
    if said == "uniform":
        shares = [1 / len(choices) for choices in splits["evaluate"]["choices"]]
        return 100 * sum(shares) / len(shares)
    if said == "unigram":
        trained_on = texts_of(seen.get("train", seen["calibrate"]), first.calibration)
        bits = unigram_bits(trained_on, texts_of(splits["evaluate"]), tokenizer)
        return per_unit(task.metric.name, bits, splits["evaluate"]) if task.lm_eval else bits
    return float(said)


def unigram_bits(train: Sequence[str], evaluate: Sequence[str], tokenizer: Any) -> float:
    """Bits per byte of the texts ``evaluate`` under add-one counts of the tokens of ``train``."""
    counts: Counter[int] = Counter()
    for ids in tokenizer(train, add_special_tokens=False)["input_ids"]:
        counts.update(ids)
    total = math.log2(counts.total() + len(tokenizer))
    bits = 0.0
    for ids in tokenizer(evaluate, add_special_tokens=False)["input_ids"]:
        bits += sum(total - math.log2(counts[token] + 1) for token in ids)
    return bits / sum(len(text.encode()) for text in evaluate)


def guessed(rows: Dataset) -> float:
    """Of lm-eval's rows: per cent right when every choice is as likely, documents weighing as they do in the score."""
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
