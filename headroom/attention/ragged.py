"""Attention whose KV heads serve different numbers of query heads.

The library repeats every KV head equally often. Where a removal leaves uneven groups, one function registered with the
library takes its place; it falls back to the library's own for all other modules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from headroom.attention.weights import index_of
from headroom.errors import UserError

_NAMES = {"sdpa": "headroom_sdpa", "eager": "headroom_eager"}


def base_implementation(name: str) -> str:
    """The library's name of an attention implementation, whichever of the two is set."""
    return {ours: theirs for theirs, ours in _NAMES.items()}.get(name, name)


def check_supported(model: Any) -> None:
    """Raise ``UserError`` when uneven groups cannot be served by the model's attention implementation."""
    name = base_implementation(model.config._attn_implementation)
    if name not in _NAMES:
        raise UserError(
            f"uneven KV groups need attn_implementation sdpa or eager, this model uses {name!r}. "
            "Set it with model.set_attn_implementation('sdpa') or remove with policy='even' or 'groups'."
        )


def set_groups(model: nn.Module, home: Any, counts: tuple[int, ...]) -> None:
    """Tell an attention module how many query heads read each of its KV heads."""
    if len(set(counts)) == 1:
        home.num_key_value_groups = counts[0]
        home.kv_map = home.kv_slots = None
        return
    check_supported(model)
    widest = max(counts)
    kv_map = [group for group, count in enumerate(counts) for _ in range(count)]
    slots = [group * widest + place for group, count in enumerate(counts) for place in range(count)]
    device = next(home.parameters()).device
    for name, values in (("kv_map", kv_map), ("kv_slots", slots)):
        if hasattr(home, name):
            delattr(home, name)
        home.register_buffer(name, index_of(values, device), persistent=False)
    home.kv_widest = widest
    home.num_key_value_groups = 1
    use_ragged(model)


def use_ragged(model: Any) -> None:
    """Make the model attend with our function. The mask builder must carry the same name, or padding is attended."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask, sdpa_mask

    name = base_implementation(model.config._attn_implementation)
    AttentionInterface.register(_NAMES[name], ragged_sdpa if name == "sdpa" else ragged_eager)
    AttentionMaskInterface.register(_NAMES[name], sdpa_mask if name == "sdpa" else eager_mask)
    model.config._attn_implementation = _NAMES[name]


def ragged_sdpa(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """The library's sdpa for uneven groups; the arguments and results are those of its attention functions."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return _attend(sdpa_attention_forward, module, query, key, value, attention_mask, kwargs)


def ragged_eager(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """Eager attention for uneven groups. Each modelling file has its own, Gemma2's with a cap on the scores."""
    homes = (sys.modules[kind.__module__] for kind in type(module).__mro__)
    eager = next((home.eager_attention_forward for home in homes if hasattr(home, "eager_attention_forward")), None)
    if eager is None:
        raise UserError(f"{type(module).__name__} has no eager attention beside it. Put transformers' own module back.")
    return _attend(eager, module, query, key, value, attention_mask, kwargs)


def _attend(
    base: Callable[..., tuple[Tensor, Tensor | None]],
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    kwargs: dict[str, Any],
) -> tuple[Tensor, Tensor | None]:
    kv_map = getattr(module, "kv_map", None)
    if kv_map is None:
        return base(module, query, key, value, attention_mask, **kwargs)
    if query.shape[2] == 1:
        return _decode(base, module, query, key, value, attention_mask, kwargs)
    key, value = key.index_select(1, kv_map), value.index_select(1, kv_map)
    return base(module, query, key, value, attention_mask, **kwargs)


def _decode(
    base: Callable[..., tuple[Tensor, Tensor | None]],
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    kwargs: dict[str, Any],
) -> tuple[Tensor, Tensor | None]:
    """One new token: the few queries move into a rectangle (KV heads, widest group), the cache is never copied."""
    batch, _, _, width = query.shape
    kv_heads = key.shape[1]
    slots = module.kv_slots
    rectangle = query.new_zeros(batch, kv_heads * module.kv_widest, width)
    rectangle = rectangle.index_copy(1, slots, query.squeeze(2)).unflatten(1, (kv_heads, -1))
    # the rows are heads of one token, not tokens: nothing is causal among them
    out, weights = base(module, rectangle, key, value, attention_mask, **(kwargs | {"is_causal": False}))
    out = out.transpose(1, 2).flatten(1, 2).index_select(1, slots).unsqueeze(1)
    if weights is not None:
        weights = weights.flatten(1, 2).index_select(1, slots).unsqueeze(2)
    return out.contiguous(), weights
