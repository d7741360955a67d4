"""How far the removed model is from the masked one: the check that removal does what a gate of zero does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headroom.api import Unit
from headroom.evaluate.scores import NotFinite, as_found

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # label of a padded position


def logit_difference(dense: Any, removed: Any, units: Iterable[Unit], batch: dict[str, Tensor]) -> float:
    """Largest absolute difference of logits, the dense model with ``units`` masked against the removed model.

    Padded positions are left out. Raises ``NotFinite`` when either model gives NaN or infinite logits.
    """
    from headroom.attention import mask

    with as_found(dense), mask(dense, units):
        masked = logits(dense, batch)
    with as_found(removed):
        difference = (masked - logits(removed, batch)).abs()[real(dense, batch)]
    if not difference.isfinite().all():
        raise NotFinite("agreement of masked and removed model")
    return float(difference.max())


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Logits of a batch in float32 on the CPU. Only encoder-decoder models are given labels, to make their input of."""
    keep = model.config.is_encoder_decoder
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if keep or name != "labels"}
    return model(**inputs).logits.float().cpu()


def real(model: Any, batch: dict[str, Tensor]) -> Any:
    """Which positions of the logits belong to real tokens: all of them for one answer an example."""
    if model.config.is_encoder_decoder:
        return (batch["labels"] != IGNORED).cpu()
    per_token = "labels" not in batch or batch["labels"].dim() == 2
    if per_token and "attention_mask" in batch:
        return batch["attention_mask"].bool().cpu()
    return slice(None)
