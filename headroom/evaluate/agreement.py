"""How far the removed model is from the masked one: the check that removal does what a gate of zero does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from headroom.api import Unit
from headroom.evaluate.batching import rows, runs
from headroom.evaluate.scores import NotFinite, as_found

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # label of a padded position


def logit_difference(dense: Any, removed: Any, units: Iterable[Unit], batch: dict[str, Tensor]) -> float:
    """Largest absolute difference of logits, the dense model with ``units`` masked against the removed model.

    Padded positions are left out. Where the logits of the whole batch are large, a few rows are compared at a time.
    Raises ``NotFinite`` when either model gives NaN or infinite logits.
    """
    from headroom.attention import mask

    units, largest = list(units), 0.0
    for part in parts(dense, batch):
        with as_found(dense), mask(dense, units):
            masked = logits(dense, part)
        with as_found(removed):
            difference = (masked - logits(removed, part)).abs_()[real(dense, part)]
        if not difference.isfinite().all():
            raise NotFinite("agreement of masked and removed model")
        largest = max(largest, float(difference.max()))
    return largest


def parts(model: Any, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """A batch in runs of rows whose logits, a number for each word at each token, take so many bytes at most."""
    count, numbers = len(next(iter(batch.values()))), 1
    if per_token(model, batch):
        numbers = max(tensor.shape[1] for tensor in batch.values()) * getattr(model.config, "vocab_size", 1)
    return (rows(batch, part) for part in runs(count, numbers))


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Logits of a batch in float32 on the CPU. Only encoder-decoder models are given labels, to make their input of."""
    keep = model.config.is_encoder_decoder
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if keep or name != "labels"}
    return model(**inputs).logits.float().cpu()


def real(model: Any, batch: dict[str, Tensor]) -> Any:
    """Which positions of the logits belong to real tokens: all of them for one answer an example."""
    if model.config.is_encoder_decoder:
        return (batch["labels"] != IGNORED).cpu()
    if per_token(model, batch) and "attention_mask" in batch:
        return batch["attention_mask"].bool().cpu()
    return slice(None)


def per_token(model: Any, batch: dict[str, Tensor]) -> bool:
    """Whether the model answers to every token, and not once for an example."""
    return model.config.is_encoder_decoder or "labels" not in batch or batch["labels"].dim() == 2
