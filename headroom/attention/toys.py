"""Tiny random models of every family, in which heads matter and every bias says something."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headroom.attention.own import class_named
from headroom.errors import UserError, suggest

WORDS = 99
_ENCODER = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_IMAGE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 16,
    "patch_size": 4,
    "num_labels": 3,
}
_CAUSAL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
_PAIR = {
    "vocab_size": WORDS,
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "forced_eos_token_id": None,
}
_MIXED = {"sliding_window": 6, "query_pre_attn_scalar": 8}
_LAYER_TYPES = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
_OLD = {"vocab_size": WORDS, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}

# family: (config class, model class, config)
_TOYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertConfig", "BertForSequenceClassification", _ENCODER | {"num_labels": 3}),
    "roberta": ("RobertaConfig", "RobertaForSequenceClassification", _ENCODER | {"num_labels": 3}),
    "distilbert": (
        "DistilBertConfig",
        "DistilBertForSequenceClassification",
        {"vocab_size": WORDS, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 64}
        | {"num_labels": 3, "pad_token_id": 0},
    ),
    "vit": ("ViTConfig", "ViTForImageClassification", _IMAGE),
    "deit": ("DeiTConfig", "DeiTForImageClassification", _IMAGE),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", _OLD | {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}),
    "gpt_neox": (
        "GPTNeoXConfig",
        "GPTNeoXForCausalLM",
        _OLD
        | {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
        | {"max_position_embeddings": 64, "rotary_pct": 0.5},
    ),
    "opt": (
        "OPTConfig",
        "OPTForCausalLM",
        _OLD
        | {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 48}
        | {"max_position_embeddings": 64, "word_embed_proj_dim": 32},
    ),
    "bart": ("BartConfig", "BartForConditionalGeneration", _PAIR),
    "marian": ("MarianConfig", "MarianMTModel", _PAIR),
    "marian_ssru": ("MarianSSRUConfig", "MarianSSRUMTModel", _PAIR),
    "mbart": ("MBartConfig", "MBartForConditionalGeneration", _PAIR),
    # positions are counted over words that are no padding, so the decoder must not start with the padding word
    "m2m_100": ("M2M100Config", "M2M100ForConditionalGeneration", _PAIR | {"decoder_start_token_id": 1}),
    "t5": (
        "T5Config",
        "T5ForConditionalGeneration",
        # the gated GELU has no kinks, so that gradients can be checked by finite differences
        {"vocab_size": WORDS, "d_model": 32, "d_kv": 8, "num_heads": 4, "num_layers": 3, "d_ff": 48}
        | {"feed_forward_proj": "gated-gelu", "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
    ),
    "llama": ("LlamaConfig", "LlamaForCausalLM", _CAUSAL),
    "mistral": ("MistralConfig", "MistralForCausalLM", _CAUSAL | {"sliding_window": 6}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", _CAUSAL),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", _CAUSAL),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", _CAUSAL),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM", _CAUSAL | _MIXED),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", _CAUSAL | _MIXED | {"layer_types": _LAYER_TYPES}),
}
FAMILY_NAMES: tuple[str, ...] = tuple(_TOYS)


def toy(family: str, seed: int = 0, **changes: Any) -> torch.nn.Module:
    """A model of 3 or 4 blocks and width 32 in eval mode; ``changes`` go into its config. Raises ``UserError``.

    Every weight is drawn anew, large enough that heads matter: freshly initialised models have zero biases and
    outputs so small that a lost head goes unseen. Global random state is left as it was.
    """
    if family not in _TOYS:
        raise UserError(f"no toy model of family {family!r}. {suggest(family, _TOYS)}")
    config_name, model_name, settings = _TOYS[family]
    with torch.random.fork_rng(devices=[]):
        model = class_named(model_name)(class_named(config_name)(**(settings | changes)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            _draw(name, parameter, generator)
    return model.eval()


def _draw(name: str, parameter: Tensor, generator: torch.Generator) -> None:
    noise = torch.randn(parameter.shape, generator=generator)
    if parameter.dim() == 1:
        scale = name.endswith("weight") and any(part in name.lower() for part in ("norm", "ln_"))
        parameter.copy_((1.0 if scale and "gemma" not in name else 0.0) + 0.1 * noise)
    else:
        parameter.copy_(noise * (0.5 if "relative" in name else 0.2))


def toy_batch(family: str, examples: int = 3, seed: int = 7) -> dict[str, Tensor]:
    """Inputs with labels for ``toy(family)``: one example is padded, on the side where its family pads."""
    model_name = toy_class(family)
    generator = torch.Generator().manual_seed(seed)

    def words(length: int) -> Tensor:
        return torch.randint(2, WORDS, (examples, length), generator=generator)

    if model_name.endswith("ForImageClassification"):
        pixels = torch.randn(examples, 3, 16, 16, generator=generator)
        return {"pixel_values": pixels, "labels": torch.arange(examples) % 3}
    ids = words(11)
    attention = torch.ones_like(ids)
    if model_name.endswith(("ForCausalLM", "LMHeadModel")):
        attention[0, :3] = 0  # on the left, as generation wants it
        labels = ids.masked_fill(attention == 0, -100)
        return {"input_ids": ids * attention, "attention_mask": attention, "labels": labels}
    attention[0, 8:] = 0
    batch = {"input_ids": ids * attention, "attention_mask": attention}
    if model_name.endswith("ForSequenceClassification"):
        return batch | {"labels": torch.arange(examples) % 3}
    labels = words(7)
    labels[0, 5:] = -100
    return batch | {"labels": labels}


def toy_class(family: str) -> str:
    """The transformers class name of a toy. Raises ``UserError``."""
    if family not in _TOYS:
        raise UserError(f"no toy model of family {family!r}. {suggest(family, _TOYS)}")
    return _TOYS[family][1]
