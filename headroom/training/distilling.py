"""Distillation: a removed model learns to predict what the dense one does (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from headroom.data.batches import IGNORED, logits_of, losses_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    Batch = dict[str, Tensor]


def towards(dense: nn.Module, model: nn.Module) -> Callable[[Batch], Tensor]:
    """The loss of a batch, a scalar: half the divergence from the dense model, half the task's own loss.

    ``dense`` is in eval mode. The two may share tensors that do not learn.
    """

    def objective(batch: Batch) -> Tensor:
        with torch.no_grad():
            wanted = logits_of(dense, batch)
        found, labels = logits_of(model, batch), batch["labels"]
        return (divergences(model, found, wanted, labels).mean() + losses_of(model, found, labels).mean()) / 2

    return objective


def divergences(model: nn.Module, found: Tensor, wanted: Tensor, labels: Tensor) -> Tensor:
    """KL(dense || model) of each example, (batch,), in nats: of its class, or the mean over the tokens that count.

    From logits, (batch, classes) or (batch, tokens, vocabulary). What counts is what the loss of the task counts.
    """
    if labels.dim() == 2 and not model.config.is_encoder_decoder:  # type: ignore[union-attr]
        found, wanted, labels = found[:, :-1], wanted[:, :-1], labels[:, 1:]
    each = divergence(found, wanted)
    if labels.dim() == 1:
        return each
    counts = labels != IGNORED
    return (each * counts).sum(-1) / counts.sum(-1).clamp_min(1)


def divergence(found: Tensor, wanted: Tensor) -> Tensor:
    """KL(wanted || found) over the last dimension of logits. What the gradient needs is two tensors of their size."""
    wanted = wanted.float().log_softmax(-1)
    chances = wanted.exp()
    entropy = -(chances * wanted).sum(-1)
    return -(chances * found.float().log_softmax(-1)).sum(-1) - entropy
