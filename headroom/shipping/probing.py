"""What a model says to a fixed input, before it is written and after its own loader has read it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headroom.attention.compiled import eager

NEW_WORDS = 6  # written one by one, so that the cache and its positions are looked at as well
FLAGS = {"do_sample": False, "num_beams": 1, "max_new_tokens": NEW_WORDS, "min_new_tokens": NEW_WORDS}


def inputs_of(model: Any, examples: int = 2, longest: int = 16) -> dict[str, Tensor]:
    """Examples that the model takes: the same numbers each time, no padding."""
    generator, config = torch.Generator().manual_seed(0), model.config
    if model.main_input_name == "pixel_values":
        sides = config.image_size if isinstance(config.image_size, (list, tuple)) else [config.image_size] * 2
        pixels = torch.randn(examples, config.num_channels, *sides, generator=generator)
        return {"pixel_values": pixels.to(next(model.parameters()))}
    length = min(longest, getattr(config, "max_position_embeddings", longest) - NEW_WORDS - 2)
    words = torch.randint(0, config.vocab_size, (examples, max(length, 4)), generator=generator)
    for mark in (config.pad_token_id, config.eos_token_id):  # of padding and ends, some classes make something else
        if isinstance(mark, int):
            words[words == mark] = (mark + 1) % config.vocab_size
    found = {"input_ids": words, "attention_mask": torch.ones_like(words)}
    if config.is_encoder_decoder and model.can_generate():
        found["decoder_input_ids"] = words[:, :5]
    return {name: value.to(next(model.parameters()).device) for name, value in found.items()}


@torch.no_grad()
def said(model: Any, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Its first output, and the words that it goes on with where it writes."""
    with eager():
        found = {"logits": model(**inputs)[0].float().cpu().contiguous()}
        if model.can_generate() and "pixel_values" not in inputs:
            given = {name: value for name, value in inputs.items() if name != "decoder_input_ids"}
            found["words"] = model.generate(**given, **FLAGS).cpu().contiguous()
    return found


def write(model: Any, file: Path, inputs: dict[str, Tensor] | None = None) -> None:
    """Inputs and answers as one file, for a process without Headroom."""
    from safetensors.torch import save_file

    inputs = inputs or inputs_of(model)
    answers = {f"said.{name}": value for name, value in said(model, inputs).items()}
    save_file({name: value.cpu().contiguous() for name, value in inputs.items()} | answers, file)
