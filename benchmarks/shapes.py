"""The two shapes that the figures are about, with random weights."""

from __future__ import annotations

from typing import Any

from headroom.models.shapes import dense

BERT = {"family": "bert", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
BERT |= {"num_attention_heads": 12}
LLAMA = {"family": "llama", "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12}
LLAMA |= {"num_attention_heads": 12, "num_key_value_heads": 12, "vocab_size": 32000, "max_position_embeddings": 1024}


def bert() -> Any:
    """BERT-base with a head for three classes."""
    return dense(BERT | {"num_labels": 3}, "classification", "float32", "cpu")


def llama() -> Any:
    """A Llama of 12 layers and width 768."""
    return dense(LLAMA, "language", "float32", "cpu")


def batch(examples: int, tokens: int) -> dict[str, Any]:
    """Classification examples without padding."""
    import torch

    ids = torch.randint(4, 30000, (examples, tokens), generator=torch.Generator().manual_seed(7))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(examples) % 3}
