"""How far a model's predictions are from the dense model's: changed answers and KL divergence, one by one.

Needs no labels, and tells methods apart long before accuracy does ("Accuracy is not all you need", arXiv:2407.09141). A
prediction is what a model is asked once: the class of an example, its choice of several, or the next token.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

KEPT = 64  # of the dense model's likeliest answers to a prediction; all others count as one
LEAST = -100.0  # log probability of what is as good as impossible: no logarithm of zero


@dataclass(frozen=True)
class Kept:
    """What the dense model predicted, n times: float32 and on the CPU."""

    places: Tensor  # (n, kept) of the answers that are kept, the likeliest first
    log_probabilities: Tensor  # (n, kept), or (n, kept + 1) with that of all others


class Predictions:
    """The dense model's predictions on one task, and what became of them in another model.

    The first model that is seen is the dense one, until ``closed``: its predictions are kept by key, such as the place
    of an example. Of all that is seen later, each has to be known.
    """

    def __init__(self, even: bool = False) -> None:
        """``even``: a model without skill finds all answers equally likely, as where their order means nothing."""
        self.even = even
        self.kept: dict[Hashable, Kept] = {}
        self.total: Tensor | None = None  # of the dense model's probabilities, (answers,)
        self.closed = False

    def changes(self, key: Hashable, every: Tensor) -> np.ndarray:
        """What ``changes_of`` gives for one key."""
        return self.changes_of([key], [len(every)], every)[0]

    def changes_of(self, keys: Sequence[Hashable], sizes: Sequence[int], every: Tensor) -> list[np.ndarray]:
        """Bits of divergence and whether the likeliest answer changed, (size, 2) of each key.

        From log probabilities (sum of sizes, answers). KL(dense || this model) over the dense model's ``KEPT``
        likeliest answers and the rest in one: what it is at least. Raises ``KeyError`` for a key that the dense model
        was not asked.
        """
        every = every.float()
        if not self.closed:
            self.keep(keys, sizes, every)
        places = torch.cat([self.kept[key].places for key in keys])
        theirs = torch.cat([self.kept[key].log_probabilities for key in keys]).double()
        ours = parts(every, places.to(every.device)).cpu().double()
        bits = (theirs.exp() * (theirs - ours)).sum(-1).clamp_min(0).float() / math.log(2)  # as fine as the predictions
        changed = every.argmax(-1).cpu() != places[:, 0]
        found = torch.stack([bits, changed.double()], dim=-1)
        return [one.numpy() for one in found.split(list(sizes))]

    def keep(self, keys: Sequence[Hashable], sizes: Sequence[int], every: Tensor) -> None:
        """Note the dense model's predictions, once each, from log probabilities of shape (sum of sizes, answers)."""
        places = every.topk(min(KEPT, every.shape[-1])).indices
        first = every.argmax(-1, keepdim=True)  # of equals the one that ``changes`` takes as well
        others = torch.where(places == first, places[:, :1], places)
        places = torch.cat([first, others[:, 1:]], dim=-1)
        found = zip(places.cpu().split(list(sizes)), parts(every, places).cpu().split(list(sizes)), strict=True)
        for key, of_key, kept in zip(keys, every.split(list(sizes)), found, strict=True):
            if key in self.kept:
                continue
            self.kept[key] = Kept(*kept)
            if not self.even:
                summed = of_key.exp().sum(0, dtype=torch.float64)
                self.total = summed if self.total is None else self.total + summed

    def blind(self) -> float:
        """Bits of divergence, on the mean, of a model that always predicts the mean of the dense model's predictions.

        It is the mutual information of what is asked and what is answered: nothing is left of a prediction there.
        """
        count = sum(len(kept.places) for kept in self.kept.values())
        mean = None if self.total is None else (self.total.cpu() / count).clamp_min(math.exp(LEAST)).log()[None]
        bits = 0.0
        for kept in self.kept.values():
            dense = kept.log_probabilities.double()
            if mean is None:
                blind = torch.full_like(dense, -math.log(dense.shape[-1]))
            else:
                blind = parts(mean.expand(len(kept.places), -1), kept.places)
            bits += float((dense.exp() * (dense - blind)).sum()) / math.log(2)
        return bits / count


def parts(log_probabilities: Tensor, places: Tensor) -> Tensor:
    """Log probabilities of the answers at ``places`` and, where these are not all, of all others together."""
    found = log_probabilities.gather(-1, places)
    if places.shape[-1] < log_probabilities.shape[-1]:
        others = log_probabilities.scatter(-1, places, -math.inf).logsumexp(-1, keepdim=True)
        found = torch.cat([found, others], dim=-1)
    return found.clamp_min(LEAST)


def counts(changes: np.ndarray) -> np.ndarray:
    """Columns of the statistics of one example, (3,): bits, changed, predictions."""
    return np.append(changes.sum(axis=0), len(changes))
