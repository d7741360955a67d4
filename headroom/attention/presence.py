"""Which tokens of a batch are real, told from the inputs of a forward pass."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from headroom.attention.anatomy import Anatomy


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
