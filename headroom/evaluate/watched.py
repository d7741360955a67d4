"""A live model that is watched: what it predicts at every token that it is asked, beside what the dense model did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import numpy as np
from torch import Tensor

from headroom.evaluate.live import Asked, LiveModel, Row
from headroom.evaluate.predictions import Predictions, counts


class WatchedModel(LiveModel):
    """A live model that counts, for each example of the tasks in ``dense``, how its predictions of tokens changed."""

    dense: Mapping[str, Predictions] = {}  # by task
    changed: dict[str, dict[int, np.ndarray]]  # by task and example, (3,): bits, changed, predictions
    _watching: Predictions | None = None
    _seen: dict[Row, np.ndarray]

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
                seen = [self._seen[self.row(given, wanted)] for _, given, wanted in rows(request)]
                self.changed.setdefault(task, {})[request.doc_id] = counts(np.concatenate(seen))
        return [found[place] for place in range(len(requests))]

    def _watched(self, request: Any) -> str:
        """The task of a request, where it is watched."""
        return request.task_name if request.task_name in self.dense else ""

    def _watch(self, task: str, ask: Callable[[list], list], requests: list) -> list:
        self._watching, self._seen = self.dense[task], {}
        try:
            return ask(requests)
        finally:
            self._watching = None

    def watch(self, rows: list[Row], likely: Tensor) -> None:
        """Note how the predictions of each row changed."""
        if self._watching is not None:
            changes = self._watching.changes_of(rows, [row.predictions for row in rows], likely)
            self._seen |= zip(rows, changes, strict=True)
