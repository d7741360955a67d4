"""Texts to model inputs: sentences with their translation, sentences and pairs of them with their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headroom.data.batches import IGNORED, Collator
from headroom.data.languages import Spoken

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from headroom.data.batches import Batch

READ = ("input_ids", "attention_mask")  # what every model of texts reads; segments only where it has them
SEGMENTS = "token_type_ids"

# Behind the words, whichever side a tokenizer likes: in front it would move the words of a model that counts places.
PADDED: dict[str, Any] = {"padding": True, "padding_side": "right", "truncation": True, "return_tensors": "pt"}


class TranslationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, source tokens), ``labels`` (batch, target tokens).

    Labels are what the tokenizer makes of a target (``text_target``): another vocabulary, another code of language, or
    the same. They are -100 where padded. The model makes its decoder input by shifting them.
    """

    def __init__(self, spoken: Spoken | PreTrainedTokenizerBase, length: int = 128) -> None:
        self.spoken, self.length = spoken if isinstance(spoken, Spoken) else Spoken(spoken), length
        self.tokenizer = self.spoken.tokenizer

    def size(self, example: dict[str, Any]) -> int:
        return len(example["source"])

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        how = PADDED | {"max_length": self.length}
        coded = self.tokenizer([self.spoken.prefix + example["source"] for example in examples], **how)
        batch = {name: coded[name] for name in READ}
        if all(example.get("target") is not None for example in examples):
            target = self.tokenizer(text_target=[example["target"] for example in examples], **how)
            batch["labels"] = target["input_ids"].masked_fill(target["attention_mask"] == 0, IGNORED)
        return batch


class ClassificationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, tokens), ``labels`` (batch,).

    An example with a ``pair`` is one text of two parts, as the tokenizer joins them, cut at the longer part. A model
    that tells the parts apart by segments gets ``token_type_ids`` (batch, tokens) too.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128, segments: bool = False) -> None:
        self.tokenizer, self.length = tokenizer, length
        self.names = (*READ, SEGMENTS) if segments and SEGMENTS in tokenizer.model_input_names else READ

    def size(self, example: dict[str, Any]) -> int:
        return len(example["text"]) + len(example.get("pair", ""))

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        parts: Sequence[list[str]] = [[example["text"] for example in examples]]
        if "pair" in examples[0]:
            parts = [*parts, [example["pair"] for example in examples]]
        coded = self.tokenizer(*parts, max_length=self.length, **PADDED)
        return {name: coded[name] for name in self.names if name in coded} | {"labels": self.labels(examples)}
