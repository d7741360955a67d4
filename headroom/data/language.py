"""Running text to model inputs: blocks of one length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from headroom.data.batches import Collator

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from headroom.data.batches import Batch


class LanguageCollator(Collator):
    """``input_ids`` and ``labels`` (batch, length): texts put end to end, each behind a start mark, cut into blocks.

    The model shifts the labels, so the first token of a block is not scored.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128) -> None:
        self.tokenizer, self.length = tokenizer, length
        self._arranged: dict[Any, list[dict[str, Any]]] = {}  # a split is asked for once a method and once a recovery

    def arrange(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Blocks of ``length`` tokens; what is left over at the end is dropped."""
        known = getattr(dataset, "_fingerprint", None)
        if known is None:
            return self._blocks(dataset)
        if known not in self._arranged:
            self._arranged[known] = self._blocks(dataset)
        return self._arranged[known]

    def _blocks(self, dataset: Dataset) -> list[dict[str, Any]]:
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        mark = [] if start is None else [start]
        ids = self.tokenizer(list(dataset["text"]), add_special_tokens=False)["input_ids"]
        stream = [token for text in ids for token in mark + text]
        whole = max(1, len(stream) // self.length)
        return [{"input_ids": stream[at * self.length : (at + 1) * self.length]} for at in range(whole)]

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        ids = torch.tensor([example["input_ids"] for example in examples])
        return {"input_ids": ids, "labels": ids.clone()}
