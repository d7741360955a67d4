"""Accuracy of a classifier of texts or images: the share of examples whose highest logit is the label's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from headroom.evaluate.batching import in_rows, places
from headroom.evaluate.predictions import Predictions, counts
from headroom.evaluate.said import SHOWN
from headroom.evaluate.scores import NotFinite, Scores, Settings, as_found

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headroom.data.batches import Collator


class Classification:
    """Examples of one task, encoded once and batched by length, so that little is padded."""

    dense: Predictions | None = None  # what the dense model predicted, once it is to be remembered

    def __init__(
        self,
        task: str,
        examples: Sequence[dict[str, Any]],
        collator: Collator,
        settings: Settings,
        names: Mapping[int, str] | None = None,
    ) -> None:
        """``examples`` have a ``label``; ``collator`` makes them into the model's inputs.

        ``names``: of classes, by the label of the data.
        """
        self.task, self.settings = task, settings
        self.names = {collator.label_of(label): name for label, name in (names or {}).items()}
        self.labels = np.array([collator.label_of(example["label"]) for example in examples])
        together = places(examples, collator, settings)
        self.batches = [(batch, collator([examples[place] for place in batch])) for batch in together]

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Columns of the statistics: correct (0 or 1) and one. Raises ``NotFinite`` when a logit is not a number."""
        answers, agreement = np.empty(len(self.labels), dtype=int), np.empty((len(self.labels), 3))
        with as_found(model):
            for together, batch in self.batches:
                for place, logits in zip(together, in_rows(partial(self.logits, model), batch), strict=True):
                    answers[place] = int(logits.argmax())  # the first one of equals
                    if self.dense is not None:
                        agreement[place] = counts(self.dense.changes(place, logits.log_softmax(-1)[None]))
        stats = np.column_stack([answers == self.labels, np.ones(len(answers))])
        beside = None if self.dense is None else agreement
        said = tuple(self.names.get(answer, str(answer)) for answer in answers[:SHOWN].tolist())
        return {self.task: Scores(stats, "accuracy", self.signature(), beside, said)}

    def logits(self, model: Any, batch: dict[str, Tensor]) -> list[Tensor]:
        """Logits of each example of a batch, (classes,), float32 on the CPU."""
        inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
        logits = model(**inputs).logits.float().cpu()
        if not logits.isfinite().all():
            raise NotFinite(self.task)
        return list(logits)

    def remember(self) -> dict[str, Predictions]:
        """Take the predictions of the model that is scored next for the dense model's; by task."""
        self.dense = Predictions()
        return {self.task: self.dense}

    def signature(self) -> str:
        """What can change the answers beside the model and the data."""
        return f"highest logit, at most {self.settings.max_length} tokens, transformers {version('transformers')}"


class ImageClassification(Classification):
    """Images of one task, made into pixel values once, as the model's ``ImageCollator`` does for training too.

    They all have one size, so nothing is padded, cut or sorted.
    """

    def signature(self) -> str:
        return f"highest logit, single view, transformers {version('transformers')}"
