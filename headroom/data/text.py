"""Texts to model inputs: sentences with their translation, sentences with their class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from headroom.data.batches import IGNORED, Collator

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from headroom.data.batches import Batch


class TranslationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, source tokens), ``labels`` (batch, target tokens).

    Labels are -100 where padded. The model makes its decoder input by shifting them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128) -> None:
        self.tokenizer, self.length = tokenizer, length

    def size(self, example: dict[str, Any]) -> int:
        return len(example["source"])

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        batch = _tokens(self.tokenizer, [example["source"] for example in examples], self.length)
        if all(example.get("target") is not None for example in examples):
            target = _tokens(self.tokenizer, [example["target"] for example in examples], self.length)
            batch["labels"] = target["input_ids"].masked_fill(target["attention_mask"] == 0, IGNORED)
        return batch


class ClassificationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, tokens), ``labels`` (batch,)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128) -> None:
        self.tokenizer, self.length = tokenizer, length

    def size(self, example: dict[str, Any]) -> int:
        return len(example["text"])

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        batch = _tokens(self.tokenizer, [example["text"] for example in examples], self.length)
        return batch | {"labels": torch.tensor([example["label"] for example in examples])}


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: list[str], length: int) -> Batch:
    coded = tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")
    return {"input_ids": coded["input_ids"], "attention_mask": coded["attention_mask"]}
