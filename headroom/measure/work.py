"""What is timed: calls of a model on synthetic inputs, and what each finds in its cache.

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
GENERATED = 16  # longest answer of one generate call, unless the work says how long it is


class Work(Protocol):
    """An entry of ``params.yaml: speed.works``."""

    @property
    def kind(self) -> Literal["encode", "prefill", "decode", "generate", "images"]: ...
    @property
    def batch(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def new(self) -> int: ...


@dataclass(frozen=True)
class Cached:
    """Keys and values of one call, in bytes."""

    moved: float = 0  # read or written by the call, in all its steps
    per_token: float | None = None  # held per token and sequence; None without a cache


@dataclass(frozen=True)
class Task:
    """One call to time."""

    call: Callable[[], Any]
    items: int  # examples (encode, images) or tokens (prefill, decode, generate) of one call
    cached: Callable[[Any], Cached] = lambda result: Cached()  # from what the call returned


def task(model: Any, work: Work) -> Task:
    """The call of a kind of work for a model. Raises ``UserError`` for a kind that does not exist or does not fit."""
    if work.kind not in KINDS:
        raise UserError(f"params.yaml: speed.works: kind is {work.kind!r}. {suggest(work.kind, KINDS)}")
    if work.kind in ("prefill", "decode") and model.config.is_encoder_decoder:
        raise UserError(f"params.yaml: speed.works: {work.kind} is for decoders; time encode or generate instead.")
    return KINDS[work.kind](model, work)


def encode(model: Any, work: Work) -> Task:
    """One forward pass over full-length inputs; of an encoder-decoder model, its encoder alone."""
    body = model.get_encoder() if model.config.is_encoder_decoder else model
    tokens = words(model, work.batch, work.length)
    return Task(lambda: body(input_ids=tokens), work.batch)


def images(model: Any, work: Work) -> Task:
    """One forward pass over images of the model's own size."""
    config = model.config
    pixels = noise(model, (work.batch, config.num_channels, config.image_size, config.image_size))
    return Task(lambda: model(pixel_values=pixels), work.batch)


def prefill(model: Any, work: Work) -> Task:
    """The prompt into the cache, with the logits of the last position only, as ``generate`` computes them."""
    inputs = {"input_ids": words(model, work.batch, work.length)} | last_position(model)

    def cached(result: Any) -> Cached:
        size = held(result.past_key_values)
        return Cached(size, size / (work.batch * work.length))

    return Task(lambda: model(**inputs, use_cache=True), work.batch * work.length, cached)


def decode(model: Any, work: Work) -> Task:
    """``DECODED`` tokens, one at a time, on a cache that holds ``length`` tokens before every call."""
    length = work.length
    tokens = words(model, work.batch, length + DECODED)
    cache = filled(model, tokens[:, :length])
    # A layer with a sliding window cannot be cut back. It does not grow either once it is full.
    cut = not any(getattr(cache, "is_sliding", []))

    def call() -> Any:
        for step in range(length, length + DECODED):
            model(input_ids=tokens[:, step : step + 1], past_key_values=cache, use_cache=True)
        if cut:
            cache.crop(-DECODED)
        return cache

    size = held(cache)
    return Task(call, work.batch * DECODED, lambda _: Cached(DECODED * size, size / (work.batch * length)))


def generate(model: Any, work: Work) -> Task:
    """Greedy generation with a cache, never ending early: ``new`` tokens, or as many as the input has, 16 at most."""
    new = work.new or min(work.length, GENERATED)
    source = words(model, work.batch, work.length)
    settings = {"min_new_tokens": new, "max_new_tokens": new, "max_length": None, "num_beams": 1, "do_sample": False}

    def cached(result: Any) -> Cached:
        caches = result.past_key_values
        own = getattr(caches, "self_attention_cache", caches)
        last, start = held(own), 0 if own is not caches else work.length
        tokens = own.get_seq_length()
        crossed = held(caches.cross_attention_cache) if own is not caches else 0
        mean = last * (start + tokens) / (2 * tokens) if tokens else 0  # the own cache grows by a token a step
        return Cached(new * (mean + crossed), last / (work.batch * tokens) if tokens else None)

    call: Callable[[], Any] = lambda: model.generate(source, return_dict_in_generate=True, **settings)  # noqa: E731
    return Task(call, work.batch * new, cached)


KINDS: dict[str, Callable[[Any, Work], Task]] = {
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


def last_position(model: Any) -> dict[str, Any]:
    """Asks for the logits of the last position only, of models that can be asked."""
    return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def filled(model: Any, tokens: Tensor) -> Any:
    """A cache that holds the tokens (batch, length)."""
    import torch

    with torch.inference_mode():
        return model(input_ids=tokens, use_cache=True, **last_position(model)).past_key_values


def held(cache: Any) -> int:
    """Bytes of all keys and values in a cache as it is, of layers that were used."""
    layers = [layer for layer in cache.layers if layer.keys is not None]
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
