"""Running text to model inputs: blocks of one length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from headroom.data.batches import Collator
from headroom.data.choices import texts_of
from headroom.data.start import Start
from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from headroom.data.batches import Batch


class LanguageCollator(Collator):
    """``input_ids`` and ``labels`` (batch, length): texts put end to end, each behind a start mark, cut into blocks.

    The model shifts the labels, so the first token of a block is not scored.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        length: int = 128,
        start: Start | None = None,
        calibration: str | None = None,
    ) -> None:
        """``start`` is the model's, see ``start_of``; without it the tokenizer's start mark, or else its end mark.

        ``calibration`` is what a task of questions says that its texts are made of, see ``texts_of``.
        """
        self.tokenizer, self.length, self.calibration = tokenizer, length, calibration
        self.start = start or _of_tokenizer(tokenizer)
        if length < 2:
            raise UserError(f"A block of {length} tokens has nothing to predict; wanted 2 or more.")
        self._arranged: dict[Any, list[dict[str, Any]]] = {}  # a split is asked for once a method and once a recovery

    def arrange(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Blocks of ``length`` tokens; what is left over at the end is dropped. A single block may be shorter.

        Where the model wants a start mark in front of every window, each block begins with exactly one. Raises
        ``UserError`` for a split without two tokens, for then there is nothing to predict.
        """
        known = getattr(dataset, "_fingerprint", None)
        if known is None:
            return self._blocks(dataset)
        if known not in self._arranged:
            self._arranged[known] = self._blocks(dataset)
        return self._arranged[known]

    def _blocks(self, dataset: Dataset) -> list[dict[str, Any]]:
        texts = texts_of(dataset, self.calibration)
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        stream = [token for text in ids for token in self.start.before(text)]
        if len(stream) < 2:
            raise UserError(
                f"The {len(texts)} texts to calibrate or train on are {len(stream)} tokens long together; wanted two "
                "or more. Give the split more examples, or longer ones."
            )
        return [{"input_ids": block} for block in self._cut(stream)]

    def _cut(self, stream: list[int]) -> list[list[int]]:
        """Whole blocks, or a single shorter one where the texts do not fill it."""
        blocks, at = [], 0
        while at < len(stream):
            block = stream[at : at + self.length]
            if self.start.every_window:
                block = self.start.before(block)[: self.length]
            at += len(block) - (self.start.every_window and stream[at] != self.start.token)
            blocks.append(block)
        return [block for block in blocks if len(block) == self.length] or blocks[:1]

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        ids = torch.tensor([example["input_ids"] for example in examples])
        return {"input_ids": ids, "labels": ids.clone()}


def _of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Start:
    token = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    text = "" if token is None else str(tokenizer.decode([token]))
    return Start(token, text, False, False, f"{text!r} before each text" if text else "no start mark")
