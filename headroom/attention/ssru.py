"""Marian with a recurrence where the decoder attends to itself: the "tiny" students that Bergamot made for browsers.

Encoder and cross-attention are the library's own. The recurrence is the simpler simple recurrent unit of Kim et al.
(2019, "From Research to Production and Back", section 3.1). It attends to nothing and has no heads.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianConfig, MarianModel, MarianMTModel
from transformers.cache_utils import DynamicLayer
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding


class MarianSSRUConfig(MarianConfig):
    """Marian's keys under another name, so that no stock loader takes the one for the other."""

    model_type = "marian_ssru"


class SSRU(nn.Module):
    """``relu(c)`` with ``c = f * c_before + (1 - f) * W x`` and ``f = sigmoid(F x + b)``; (batch, tokens, width)."""

    def __init__(self, width: int, layer_idx: int) -> None:
        super().__init__()
        self.input = nn.Linear(width, width, bias=False)
        self.forget = nn.Linear(width, width)
        self.layer_idx = layer_idx  # of its slot in the cache

    def forward(self, hidden_states: Tensor, past_key_values: Any = None, **_: Any) -> tuple[Tensor, None]:
        """All tokens at once, or those behind what the cache remembers. Masks are not needed: it looks back only."""
        cache = getattr(past_key_values, "self_attention_cache", past_key_values)
        forget = torch.sigmoid(self.forget(hidden_states))
        fresh = (1 - forget) * self.input(hidden_states)
        state, states = self._state(cache, hidden_states), []
        for kept, new in zip(forget.unbind(1), fresh.unbind(1), strict=True):
            state = kept * state + new
            states.append(state)
        made = torch.stack(states, 1)
        if cache is not None:
            self._remember(cache, made)
        return torch.relu(made), None

    def _state(self, cache: Any, hidden: Tensor) -> Tensor:
        """The state behind the last token seen, (batch, width)."""
        seen = 0 if cache is None else int(cache.get_seq_length(self.layer_idx))
        if not seen:
            return torch.zeros_like(hidden[:, 0])
        values = cache.layers[self.layer_idx].values
        return values[:, 0, min(seen, values.shape[-2]) - 1]

    def _remember(self, cache: Any, states: Tensor) -> None:
        """Keys count the tokens, as the library does; of the values only the last is asked for again."""
        cache.update(states.new_zeros(*states.shape[:2], 1).unsqueeze(1), states.unsqueeze(1), self.layer_idx)
        slot = cache.layers[self.layer_idx]
        if isinstance(slot, DynamicLayer) and slot.values is not None:
            slot.values = slot.values[:, :, -1:]


class Sinusoids(MarianSinusoidalPositionalEmbedding):
    """Positions as Marian itself computes them: wavelengths from 2 pi to exactly 10000 x 2 pi, sines first."""

    def create_weight(self) -> Tensor:
        """(positions, width); the library's own stop short of the longest wavelength."""
        positions, width = self.weight.shape
        each = math.log(10000) / max(1, width // 2 - 1)
        speeds = torch.exp(-each * torch.arange(width // 2, dtype=torch.float64))
        angles = torch.arange(positions, dtype=torch.float64)[:, None] * speeds
        return torch.cat([angles.sin(), angles.cos()], 1).to(self.weight.dtype)


class MarianSSRUModel(MarianModel):
    """Encoder and decoder without the output layer."""

    config_class = MarianSSRUConfig

    def __init__(self, config: MarianSSRUConfig) -> None:
        super().__init__(config)
        for number, layer in enumerate(self.decoder.layers):
            layer.self_attn = SSRU(config.d_model, number)
        for stack in (self.encoder, self.decoder):
            stack.embed_positions = Sinusoids(config.max_position_embeddings, config.d_model, config.pad_token_id)
        self.post_init()


class MarianSSRUMTModel(MarianMTModel):
    """A translator of this make. It generates with the library's own cache, in time linear in the tokens."""

    config_class = MarianSSRUConfig

    def __init__(self, config: MarianSSRUConfig) -> None:
        super().__init__(config)
        self.model = MarianSSRUModel(config)
        self.post_init()
