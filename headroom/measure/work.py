"""What is timed: calls of a model on synthetic inputs, with what each call should cost.

Inputs are drawn from a fixed seed, the same for dense and removed; speed does not depend on their content.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from torch import Tensor

SEED = 7
SPECIAL = 4  # ids below are special tokens in most vocabularies; padding would change what is computed
DECODED = 4  # tokens of one decode call: single ones are too short to time
GENERATED = 16  # longest translation of one generate call


class Work(Protocol):
    """An entry of ``params.yaml: speed.works``."""

    @property
    def kind(self) -> Literal["encode", "prefill", "decode", "generate", "images"]: ...
    @property
    def batch(self) -> int: ...
    @property
    def length(self) -> int: ...


@dataclass(frozen=True)
class Task:
    """One call to time."""

    call: Callable[[], Any]
    cost: float  # multiply-accumulates of the call; for decode the bytes that each step reads
    items: int  # examples (encode, images) or tokens (prefill, decode, generate) of one call


def task(model: Any, work: Work) -> Task:
    """The call of a kind of work for a model. Raises ``UserError`` for a kind that does not exist or does not fit."""
    if work.kind not in KINDS:
        raise UserError(f"params.yaml: speed.works: kind is {work.kind!r}. {suggest(work.kind, KINDS)}")
    if work.kind in ("prefill", "decode") and model.config.is_encoder_decoder:
        raise UserError(f"params.yaml: speed.works: {work.kind} is for decoders; time encode or generate instead.")
    return KINDS[work.kind](model, work.batch, work.length)


def encode(model: Any, batch: int, length: int) -> Task:
    """One forward pass over full-length inputs; of an encoder-decoder model, its encoder alone."""
    body = model.get_encoder() if model.config.is_encoder_decoder else model
    inputs = {"input_ids": words(model, batch, length)}
    return Task(lambda: body(**inputs), macs(body, inputs), batch)


def images(model: Any, batch: int, length: int = 0) -> Task:
    """One forward pass over images of the model's own size."""
    config = model.config
    shape = (batch, config.num_channels, config.image_size, config.image_size)
    inputs = {"pixel_values": noise(model, shape)}
    return Task(lambda: model(**inputs), macs(model, inputs), batch)


def prefill(model: Any, batch: int, length: int) -> Task:
    """The prompt into the cache, with the logits of the last position only, as ``generate`` computes them."""
    inputs: dict[str, Any] = {"input_ids": words(model, batch, length)}
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        inputs["logits_to_keep"] = 1
    return Task(lambda: model(**inputs, use_cache=True), macs(model, inputs), batch * length)


def decode(model: Any, batch: int, length: int) -> Task:
    """``DECODED`` tokens, one at a time, on a cache that holds ``length`` tokens before every call."""
    tokens = words(model, batch, length + DECODED)
    cache = filled(model, tokens[:, :length])
    # A layer with a sliding window cannot be cut back. It does not grow either once it is full.
    cut = not any(getattr(cache, "is_sliding", []))

    def call() -> None:
        for step in range(length, length + DECODED):
            model(input_ids=tokens[:, step : step + 1], past_key_values=cache, use_cache=True)
        if cut:
            cache.crop(-DECODED)

    return Task(call, step_bytes(model, batch, length), batch * DECODED)


def generate(model: Any, batch: int, length: int) -> Task:
    """Greedy translation with a cache: as many tokens as the source has, ``GENERATED`` at most, never ending early."""
    new = min(length, GENERATED)
    source = words(model, batch, length)
    settings = {"min_new_tokens": new, "max_new_tokens": new, "max_length": None, "num_beams": 1, "do_sample": False}
    inputs = {"input_ids": source, "decoder_input_ids": words(model, batch, new)}
    return Task(lambda: model.generate(input_ids=source, **settings), macs(model, inputs), batch * new)


KINDS: dict[str, Callable[[Any, int, int], Task]] = {
    "encode": encode,
    "images": images,
    "prefill": prefill,
    "decode": decode,
    "generate": generate,
}


def words(model: Any, batch: int, length: int) -> Tensor:
    """Random token ids, no padding, shape (batch, length), on the model's device."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(SPECIAL, model.config.vocab_size, (batch, length), generator=generator).to(model.device)


def noise(model: Any, shape: tuple[int, ...]) -> Tensor:
    """Random pixels in the model's dtype, on its device."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(SEED)).to(model.device, model.dtype)


def filled(model: Any, tokens: Tensor) -> Any:
    """A cache that holds the tokens (batch, length)."""
    import torch

    with torch.inference_mode():
        return model(input_ids=tokens, use_cache=True).past_key_values


def macs(model: Any, inputs: dict[str, Any]) -> float:
    """Multiply-accumulates of the matrix products of one forward pass."""
    from headroom.attention.counting import multiply_accumulates

    return float(multiply_accumulates(model, inputs))


def step_bytes(model: Any, batch: int, length: int) -> float:
    """Bytes that one decoding step reads: the cache of every sequence, and every weight once.

    Of token and position tables it reads a few rows, which are left out, unless the table is the output layer too.
    """
    from headroom.attention import count

    counts = count(model, {"input_ids": words(model, 1, 2)})
    output = model.get_output_embeddings()
    weights = counts.non_embedding_parameters + sum(p.numel() for p in output.parameters())
    size = model.dtype.itemsize
    return size * weights + batch * length * counts.kv_bytes_per_token * size / 4  # the count is for float32
