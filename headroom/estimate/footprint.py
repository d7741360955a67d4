"""Bytes of memory that a process needs while it measures the points of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from headroom.evaluate.batching import TOKENS
from headroom.measure.counter import cost
from headroom.measure.work import noise, words

if TYPE_CHECKING:
    from headroom.config.model_spec import ModelSpec
    from headroom.config.recovery import Recover

REMOVED = 1.25  # copies of the weights at once: a removed model shares with the dense one what it does not cut
LEARNS = 4 * 4  # bytes a parameter of a copy that is fine-tuned: weights, gradients, two moments, each float32
MERGED = 1.0  # copies of the weights when adapters are merged; until then all weights are shared
FLOAT32 = 4


def footprint(
    model: Any, spec: ModelSpec, purpose: str, length: int, recover: Recover | None, layers: float = 1.0
) -> int:
    """Weights with what removal adds, the tensors of the largest batch, its logits once more, a copy that learns.

    ``model`` may be a part of the whole, with as many weights as ``layers`` says, in shares.
    """
    weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers())) * layers
    count = sum(parameter.numel() for parameter in model.parameters()) * layers
    size = batch_size(spec, purpose, length)
    learns = 0.0
    if recover:
        learns = MERGED * weights if recover.adapters else LEARNS * count
    return round(REMOVED * weights + learns + activations(model, purpose, size, length))


def batch_size(spec: ModelSpec, purpose: str, length: int) -> int:
    """Examples of the largest length in one forward pass."""
    if spec.evaluate.batch:
        return spec.evaluate.batch
    return max(1, (spec.evaluate.tokens or TOKENS) // (length if purpose != "image-classification" else 196))


def activations(model: Any, purpose: str, size: int, length: int) -> int:
    """Bytes of the tensors that are alive at once in a forward pass, counted on one example of the batch."""
    call = one_pass(model, purpose, length)
    found = cost(call, model).memory
    vocabulary = getattr(model.config, "vocab_size", 0) if purpose == "language" else 0
    return size * (found + FLOAT32 * length * vocabulary)  # likelihoods are worked out in float32


def one_pass(model: Any, purpose: str, length: int, size: int = 1) -> Any:
    """A forward pass over examples of full length."""
    if purpose == "image-classification":
        from headroom.data.processor_facts import channels_of, size_of

        height, width = size_of(model.config) or (32, 32)
        pixels = noise(model, (size, channels_of(model.config), height, width))
        return lambda: model(pixel_values=pixels)
    tokens: torch.Tensor = words(model, size, length)
    if purpose == "translation":
        return lambda: model(input_ids=tokens, decoder_input_ids=tokens)
    return lambda: model(input_ids=tokens)
