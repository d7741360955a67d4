"""Every metric from sums over examples, so that resamples need no model; of BLEU the formula is sacreBLEU's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def per_cent(sums: Array) -> Array:
    """Accuracy in per cent from (..., 2): correct, examples."""
    return 100 * sums[..., 0] / sums[..., 1]


def ratio(sums: Array) -> Array:
    """Bits per byte from (..., 2): bits, bytes."""
    return sums[..., 0] / sums[..., 1]


def bleu(sums: Array) -> Array:
    """BLEU from (..., 10): output length, reference length, 4 x matches, 4 x n-grams; sacreBLEU's own formula."""
    from sacrebleu.metrics import BLEU

    def one(row: Array) -> float:
        counts = [int(count) for count in row]
        score = BLEU.compute_bleu(counts[2:6], counts[6:10], counts[0], counts[1], smooth_method="exp")
        return score.score

    return np.apply_along_axis(one, -1, sums)


def chrf(sums: Array) -> Array:
    """chrF2 from (..., 3 x orders): for each order n-grams of the translation, of the reference, and of both.

    sacreBLEU's ``_compute_f_score`` with its defaults, step by step, so that the last bit is the same; chrF has six
    orders of letters, chrF++ two of words after them.
    """
    shape = sums.shape[:-1]
    precision, recall, orders = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for start in range(0, sums.shape[-1], 3):
        ours, theirs, both = sums[..., start], sums[..., start + 1], sums[..., start + 2]
        counts = (ours > 0) & (theirs > 0)  # texts shorter than the order say nothing about it
        precision += np.divide(both, ours, out=np.zeros(shape), where=counts)
        recall += np.divide(both, theirs, out=np.zeros(shape), where=counts)
        orders += counts
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    below = 4 * precision + recall  # beta 2: recall weighs four times as much
    return 100 * np.divide(5 * precision * recall, below, out=np.zeros(shape), where=below > 0)


def perplexity(sums: Array) -> Array:
    """Perplexity of a word, byte or answer from (..., 2): nats, and how many of them there are."""
    return np.exp(sums[..., 0] / sums[..., 1])


def divergence(sums: Array) -> Array:
    """KL divergence of a prediction from (..., 3): bits, predictions changed, predictions; see ``flips``."""
    return sums[..., 0] / sums[..., 2]


def flips(sums: Array) -> Array:
    """The share of predictions that changed, from the same counts as ``divergence``."""
    return sums[..., 1] / sums[..., 2]


AGGREGATES: dict[str, Callable[[Array], Array]] = {
    "accuracy": per_cent,
    "exact-match": per_cent,
    "bits-per-byte": ratio,
    "byte-perplexity": perplexity,
    "word-perplexity": perplexity,
    "perplexity": perplexity,
    "divergence": divergence,
    "bleu": bleu,
    "chrf": chrf,
    "chrf++": chrf,
}
