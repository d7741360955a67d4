"""What every evaluator returns, what all of them are told, and how one says that a model broke."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from headroom.config.model_spec import ModelSpec


@dataclass(frozen=True)
class Settings:
    """How an evaluation is run. Everything that can change a score also stands in the signature of the scores."""

    batch_size: int | None = 64  # examples, or windows of a language model, in one forward pass; None: by tokens
    max_length: int = 128  # tokens of one input; windows of a language model
    max_new_tokens: int = 64  # of a translation; never more than twice its source and ten, see translation.py
    beams: int = 1  # 1 is greedy decoding
    tokens: int | None = None  # in one forward pass, with their padding, where ``batch_size`` is None

    @classmethod
    def of(cls, spec: ModelSpec, length: int, tokens: int | None = None) -> Settings:
        """The settings of an entry of ``params.yaml: models``, for inputs of so many tokens.

        ``tokens``: how many of them go through the model at once where the entry does not say.
        """
        how = spec.evaluate
        beams = how.beams if how.decoding == "beam" else 1
        return cls(how.batch, length, how.max_new_tokens, beams, how.tokens or tokens)


@dataclass(frozen=True)
class Scores:
    """Sufficient statistics of one model on one task: the metric is ``aggregate(stats.sum(axis=0))``.

    ``stats`` has shape (examples, k), float64, in the order of the examples; ``aggregate`` is a key of
    ``headroom.results.aggregates.AGGREGATES``.
    """

    stats: np.ndarray
    aggregate: str
    signature: str
    agreement: np.ndarray | None = None  # with the dense model, (examples, 3), see aggregates.divergence
    said: tuple[str, ...] = ()  # the answers to the first examples, in words, see ``said.py``


class NotFinite(ArithmeticError):
    """The model gave NaN or infinite scores; the message names the task. The caller records the point as failed."""

    def __init__(self, task: str, what: str = "logits") -> None:
        super().__init__(f"task {task}: the model's {what} hold NaN or infinite values")


@contextmanager
def as_found(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluate in eval mode without gradients, and give every module its own mode back."""
    import torch

    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield model
    finally:
        for module, training in modes:
            module.training = training
