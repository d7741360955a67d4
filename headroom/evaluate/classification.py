"""Accuracy of a classifier of texts or images: the share of examples whose highest logit is the label's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from headroom.evaluate.batching import in_rows, places
from headroom.evaluate.scores import NotFinite, Scores, Settings, as_found

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headroom.data.batches import Collator


class Classification:
    """Examples of one task, encoded once and batched by length, so that little is padded."""

    def __init__(self, task: str, examples: Sequence[dict[str, Any]], collator: Collator, settings: Settings) -> None:
        """``examples`` have a ``label``; ``collator`` makes them into the model's inputs."""
        self.task, self.settings = task, settings
        self.labels = np.array([collator.label_of(example["label"]) for example in examples])
        together = places(examples, collator, settings)
        self.batches = [(batch, collator([examples[place] for place in batch])) for batch in together]

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Columns of the statistics: correct (0 or 1) and one. Raises ``NotFinite`` when a logit is not a number."""
        correct = np.empty(len(self.labels))
        with as_found(model):
            for together, batch in self.batches:
                answers = in_rows(partial(self.answers, model), batch)
                correct[together] = np.array(answers) == self.labels[together]
        stats = np.column_stack([correct, np.ones(len(correct))])
        return {self.task: Scores(stats, "accuracy", self.signature())}

    def answers(self, model: Any, batch: dict[str, Tensor]) -> list[int]:
        """The class of the highest logit, the first one of equals, for each example of a batch."""
        inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
        logits = model(**inputs).logits.float()
        if not logits.isfinite().all():
            raise NotFinite(self.task)
        return logits.argmax(dim=-1).tolist()

    def signature(self) -> str:
        """What can change the answers beside the model and the data."""
        return f"highest logit, at most {self.settings.max_length} tokens, transformers {version('transformers')}"


class ImageClassification(Classification):
    """Images of one task, made into pixel values once, as the model's ``ImageCollator`` does for training too.

    They all have one size, so nothing is padded, cut or sorted.
    """

    def signature(self) -> str:
        return f"highest logit, single view, transformers {version('transformers')}"
