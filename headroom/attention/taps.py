"""Hooks on a forward pass: its inputs and which tokens are real, and the two ends of every sublayer.

What goes into a sublayer and comes out of it can be watched, and what comes out can be changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from headroom.attention.anatomy import Anatomy
from headroom.attention.place import Place
from headroom.errors import UserError

Change = Callable[[Tensor, Tensor], Tensor | None]
_SWALLOWED = ("head_mask", "decoder_head_mask", "cross_attn_head_mask")


def refuse_head_mask(inputs: Any) -> None:
    """Raise ``UserError`` when model inputs hold a head mask: transformers 5 swallows it without any effect."""
    for name in _SWALLOWED:
        if inputs.get(name) is not None:
            raise UserError(
                f"{name}= is swallowed by transformers 5 and changes nothing. "
                "Silence heads with headroom.attention.mask or remove them with headroom.attention.remove."
            )


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The arguments of a class's own forward: that of an instance may hide them behind ``*args``."""
    return tuple(inspect.signature(kind.forward).parameters)[1:]


def named_inputs(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a module was called with, by name; what ``functools.partial`` has put into its forward is there too."""
    kind: Any = type(module)
    own = module.__dict__.get("forward")
    fixed = own.keywords if isinstance(own, partial) else {}
    return fixed | dict(zip(_names(kind), args, strict=False)) | kwargs


def on_inputs(model: nn.Module, begin: Callable[[dict[str, Any]], None], copies: bool = True) -> RemovableHandle:
    """Call ``begin`` with the named inputs of every forward pass; head masks are refused, and copies if not wanted."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not copies and getattr(module, "_is_replica", False):
            raise UserError(
                "DataParallel runs a copy of the model on a part of the batch, which gates and watches cannot put "
                "together. Call the model itself, model.module, on one device."
            )
        inputs = named_inputs(module, args, kwargs)
        refuse_head_mask(inputs)
        begin(inputs)

    return model.register_forward_pre_hook(hook, with_kwargs=True)


def presence(plan: Anatomy, inputs: dict[str, Any], stack: str) -> Tensor | None:
    """True where a token of the stack is no padding, (batch, tokens); None when the inputs do not tell."""
    get = inputs.get
    if stack == "encoder" or "encoder" not in plan.stacks:
        return get("attention_mask")
    if get("decoder_attention_mask") is not None:
        return get("decoder_attention_mask")
    labels = get("labels")
    if isinstance(labels, Tensor) and labels.dim() == 2:
        return labels.ne(-100)
    ids = get("decoder_input_ids")
    if ids is None:
        return None
    present = ids.ne(plan.config.pad_token_id)
    present[:, 0] = True  # decoders start with the pad token
    return present


def real_tokens(plan: Anatomy, inputs: dict[str, Any], stack: str, like: torch.Size, device: torch.device) -> Tensor:
    """Which tokens of a stack are real, bool of shape ``like`` (batch, tokens); all when the inputs do not tell."""
    present = presence(plan, inputs, stack)
    if present is None:
        return torch.ones(like, dtype=torch.bool, device=device)
    # with a cache the mask covers the past as well; a pass holds only the last tokens
    return present.to(device).bool()[:, -like[1] :]


def tap(place: Place, change: Change) -> list[RemovableHandle]:
    """Call ``change(before, after)`` on every pass; its result, if any, replaces ``after``.

    ``before`` is the stream, (batch, tokens, width). ``after`` is the stream after the sublayer or block or, where the
    residual is added later, the branch that will be added.
    """
    sublayer = place.sublayer
    start, end = (sublayer.start, sublayer.end) if sublayer else ("", "")
    seen: list[Tensor] = []

    def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[:] = [args[0] if args else kwargs["hidden_states"]]

    def leave(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        after = output[0] if isinstance(output, tuple) else output
        if not seen:
            raise UserError(
                f"{place.site}: {end or 'the block'} ran without {start or 'its input'}, where the stream is met. "
                "A module of another make calls it; put transformers' own back for the length of the with block."
            )
        before = seen.pop()
        if before.dim() < after.dim():
            before = before.view_as(after)  # OPT flattens batch and tokens before its MLP
        changed = change(before, after)
        if changed is None:
            return None
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    entry = place.module(start).register_forward_pre_hook(enter, with_kwargs=True)
    return [entry, place.module(end).register_forward_hook(leave)]
