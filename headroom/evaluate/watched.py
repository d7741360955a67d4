"""A live model that is watched: what it predicts at every token that it is asked, beside what the dense model did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import numpy as np
from torch import Tensor

from headroom.evaluate.live import Asked, LiveModel
from headroom.evaluate.predictions import Predictions, counts

Key = tuple[bytes, int]  # the tokens of a row as the model is given them, and how many of its predictions count


class WatchedModel(LiveModel):
    """A live model that counts, for each example of the tasks in ``dense``, how its predictions of tokens changed."""

    dense: Mapping[str, Predictions] = {}  # by task
    changed: dict[str, dict[int, np.ndarray]]  # by task and example, (3,): bits, changed, predictions
    logits_cache: bool
    _watching: Predictions | None = None
    _rows: list[Tensor]  # what the model was given last, those rows whose logits are not looked at yet
    _seen: dict[Key, np.ndarray]

    def loglikelihood(self, requests: list, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """As lm-eval's, each watched task by itself."""
        return self._by_task(super().loglikelihood, requests, lambda request: [self.pair(*request.args)])

    def loglikelihood_rolling(self, requests: list, disable_tqdm: bool = True) -> list[float]:
        """As lm-eval's, each watched task by itself."""
        return self._by_task(super().loglikelihood_rolling, requests, lambda request: list(self.windows(*request.args)))

    def _by_task(self, ask: Callable[[list], list], requests: list, rows: Callable[[Any], list[Asked]]) -> list:
        found: dict[int, Any] = {}
        places = sorted(range(len(requests)), key=lambda place: self._watched(requests[place]))
        for task, group in groupby(places, key=lambda place: self._watched(requests[place])):
            some = list(group)
            chosen = [requests[place] for place in some]
            found |= zip(some, self._watch(task, ask, chosen) if task else ask(chosen), strict=True)
            for request in chosen if task else ():
                seen = [self._seen[self._key(row)] for row in rows(request)]
                self.changed.setdefault(task, {})[request.doc_id] = counts(np.concatenate(seen))
        return [found[place] for place in range(len(requests))]

    def _watched(self, request: Any) -> str:
        """The task of a request, where it is watched."""
        return request.task_name if request.task_name in self.dense else ""

    def _watch(self, task: str, ask: Callable[[list], list], requests: list) -> list:
        cached = bool(self.logits_cache)
        self.logits_cache = False  # lm-eval's, which asks rows of the same tokens as one
        self._watching, self._seen, self._rows = self.dense[task], {}, []
        try:
            return ask(requests)
        finally:
            self._watching, self.logits_cache = None, cached

    def _key(self, row: Asked) -> Key:
        """By what a row is known: its tokens, cut as lm-eval cuts them."""
        _, given, wanted = row
        return np.array([*given, *wanted][-(self.max_length + 1) : -1]).tobytes(), len(wanted)

    def _model_call(self, inps: Tensor, *others: Any, **how: Any) -> Tensor:
        self._rows = list(inps.cpu())
        return super()._model_call(inps, *others, **how)

    def _select_cont_toks(self, logits: Tensor, contlen: int | None = None, inplen: int | None = None) -> Tensor:
        """lm-eval's hands the log probabilities of the tokens that are wanted on, row by row as they were given."""
        wanted = super()._select_cont_toks(logits, contlen=contlen, inplen=inplen)
        if self._watching is not None and contlen:
            key = (self._rows.pop(0)[:inplen].numpy().tobytes(), contlen)
            self._seen[key] = self._watching.changes(key, wanted)
        return wanted
