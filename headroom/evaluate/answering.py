"""Answers in words: lm-eval's generation on a model object in memory, with the start marks that the model wants."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headroom.errors import UserError
from headroom.evaluate.batching import as_memory_allows, by_tokens
from headroom.evaluate.scores import NotFinite
from headroom.evaluate.translation import FiniteGuard
from headroom.evaluate.watched import WatchedModel


class AnsweringModel(WatchedModel):
    """A live model that answers in words as well: greedy, with a cache, up to the task's stop words."""

    batch_size_per_gpu: int

    def generate_until(self, requests: list, disable_tqdm: bool = True) -> list[str]:
        """What the model says to each request. Raises ``NotFinite`` when a logit was not a number at any step."""
        self.guard = FiniteGuard()
        answers = self._in_batches(requests)
        if self.guard.broken is not None and bool(self.guard.broken):
            raise NotFinite(" and ".join(dict.fromkeys(str(request.task_name) for request in requests)))
        return answers

    def _in_batches(self, requests: list) -> list[str]:
        if self.tokens is None:
            return self._at_once(requests)
        found: dict[int, str] = {}
        longest = [len(self.plain(request.args[0])) + self._answer_of(request) for request in requests]
        for places in by_tokens(longest, self.tokens):
            found |= zip(places, self._at_once([requests[place] for place in places]), strict=True)
        return [found[place] for place in range(len(requests))]

    def _at_once(self, requests: list) -> list[str]:
        size = self.batch_size_per_gpu

        def answered(part: slice) -> list[str]:
            some = len(requests[part])
            self.batch_size_per_gpu = some if self.tokens is not None else min(size, some)
            return super(AnsweringModel, self).generate_until(requests[part], disable_tqdm=True)

        return as_memory_allows(answered, len(requests))

    def _answer_of(self, request: Any) -> int:
        """The tokens that an answer may have."""
        return int(request.args[1].get("max_gen_toks", self.max_gen_toks))

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """lm-eval's tokens and mask (texts, longest), cut on the left, with start marks where ``start`` wants them."""
        room = left_truncate_len or self.max_length
        texts = [self._given(text, room) for text in strings]
        longest = max(map(len, texts))
        ids = torch.full((len(texts), longest), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, longest - len(text) :] = torch.tensor(text)
            mask[row, longest - len(text) :] = 1
        return ids, mask

    def _given(self, text: str, room: int) -> list[int]:
        ids = self.start.before(self.plain(text)) if self.start.before_context or not text else self.plain(text)
        if self.start.every_window and len(ids) > room:
            return self.start.before(ids[len(ids) - room + 1 :])
        return ids[-room:]

    def _model_generate(self, context: Tensor, max_length: int, stop: list[str], **how: Any) -> Tensor:
        return super()._model_generate(context, max_length, stop, **how, logits_processor=[self.guard])


def check_room(task: str, generation: dict[str, Any], length: int) -> None:
    """Raises ``UserError`` where an answer alone fills what the model is given."""
    most = int(generation.get("max_gen_toks", 256))  # lm-eval's default
    if most >= length:
        raise UserError(
            f"tasks/{task}.yaml: an answer may have {most} tokens, and the model is given {length} (`length`), its "
            f"question included. Set `length` of the model above {most}, by as much as its questions have."
        )
