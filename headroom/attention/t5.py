"""T5's attention with heads or all of it removed.

The first block of a T5 stack owns a table of relative positions with one column per head. The bias made from it is
returned and handed on to the later blocks, so every stand-in passes on the whole bias whatever it uses itself.
Import this file only where a T5 model is at hand: it imports the modelling file.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.models.t5.modeling_t5 import T5Attention

from headroom.attention.stand_ins import fill_slot

Result = tuple[Tensor, Tensor | None, Tensor | None]


class _SharesBias(T5Attention):
    """An attention that computes the bias of all heads when it owns the table, else passes on what it was given."""

    def whole_bias(self, hidden: Tensor, position_bias: Tensor | None, past_key_values: Any) -> Tensor | None:
        if position_bias is not None or not self.has_relative_attention_bias:
            return position_bias
        cache = getattr(past_key_values, "self_attention_cache", past_key_values)
        tokens = hidden.shape[1]
        if cache is None:
            return self.compute_bias(tokens, tokens, device=hidden.device)
        seen = cache.get_seq_length(self.layer_idx)
        seen = seen.clone() if isinstance(seen, Tensor) else seen  # a static cache counts on in the same tensor
        keys, _ = cache.get_mask_sizes(tokens, self.layer_idx)
        return self.compute_bias(tokens, keys, device=hidden.device, past_seen_tokens=seen)


class SlicedAttention(_SharesBias):
    """Some heads are left: takes their columns of the bias and passes on the whole."""

    kept_heads: Tensor

    def forward(
        self,
        hidden_states: Tensor,
        mask: Tensor | None = None,
        key_value_states: Tensor | None = None,
        position_bias: Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Result:
        whole: Tensor | None
        mine: Tensor | None
        if key_value_states is not None:
            # cross-attention has no table; T5 would hand zeros of one block's head count to the next
            whole = hidden_states.new_zeros(1, 1, hidden_states.shape[1], key_value_states.shape[1])
            mine = whole
        else:
            whole = self.whole_bias(hidden_states, position_bias, past_key_values)
            mine = None if whole is None else whole.index_select(1, self.kept_heads)
        out, _, weights = super().forward(hidden_states, mask, key_value_states, mine, past_key_values, **kwargs)
        return out, whole, weights


class EmptyAttention(_SharesBias):
    """No head is left: adds nothing, passes on the whole bias and keeps its cache slot alive."""

    def forward(
        self,
        hidden_states: Tensor,
        mask: Tensor | None = None,
        key_value_states: Tensor | None = None,
        position_bias: Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Result:
        whole = position_bias
        if key_value_states is None:
            whole = self.whole_bias(hidden_states, position_bias, past_key_values)
            fill_slot(self.layer_idx, hidden_states, {"past_key_values": past_key_values})
        return hidden_states.new_zeros(()), whole, None


class SkippedSelf(nn.Module):
    """A self-attention sublayer that has gone, norm included; what is left of its attention passes the bias on."""

    def __init__(self, attention: EmptyAttention) -> None:
        super().__init__()
        self.SelfAttention = attention

    def forward(
        self, hidden_states: Tensor, position_bias: Tensor | None = None, past_key_values: Any = None, **kwargs: Any
    ) -> Result:
        _, whole, _ = self.SelfAttention(hidden_states, position_bias=position_bias, past_key_values=past_key_values)
        return hidden_states, whole, None


class SkippedCross(nn.Module):
    """A cross-attention sublayer that has gone."""

    def forward(self, hidden_states: Tensor, *args: Any, position_bias: Tensor | None = None, **kwargs: Any) -> Result:
        return hidden_states, position_bias, None


def share_sliced_bias(attention: Any, kept: Tensor) -> None:
    """After slicing: ``kept`` are the dense numbers of the heads that are left."""
    # the class is exchanged in place so that names of weights and modules stay as they are
    attention.__class__ = SlicedAttention
    if hasattr(attention, "kept_heads"):
        del attention.kept_heads
    attention.register_buffer("kept_heads", kept, persistent=False)


def empty(attention: Any) -> EmptyAttention:
    """Take all heads out of an attention; the table of positions stays."""
    attention.__class__ = EmptyAttention
    for name in ("q", "k", "v", "o"):
        if hasattr(attention, name):
            delattr(attention, name)
    return attention


def skipped(kind: str, sublayer: Any) -> nn.Module:
    """What stands in for a whole ``self`` or ``cross`` attention sublayer."""
    return SkippedSelf(empty(sublayer.SelfAttention)) if kind == "t5 self" else SkippedCross()


def hand_on_table(old: Any, new: Any) -> None:
    """Give the table of relative positions to the block that now comes first."""
    old, new = old.layer[0].SelfAttention, new.layer[0].SelfAttention
    if old is not new:
        new.relative_attention_bias, new.has_relative_attention_bias = old.relative_attention_bias, True
