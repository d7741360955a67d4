"""Batches: turns examples into model inputs with labels. Training, calibration and evaluation all use these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

    Batch = dict[str, Tensor]

IGNORED = -100  # label of a position that counts for nothing


class Collator(ABC):
    """Examples to one batch of tensors."""

    label_of: Callable[[int], int] = int  # the model's number for a class of the data, see `classes.Order`

    def labels(self, examples: list[dict[str, Any]]) -> Tensor:
        """The classes of examples, (batch,), in the model's numbering."""
        return torch.tensor([self.label_of(example["label"]) for example in examples])

    def arrange(self, dataset: Dataset) -> Any:
        """The examples that batches are made of: a sequence of dictionaries."""
        return dataset

    def size(self, example: dict[str, Any]) -> int:
        """A number that grows with the length of an example, to sort by."""
        return 0

    @abstractmethod
    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        """One batch of examples as tensors."""


def batches(
    dataset: Dataset,
    collator: Collator,
    batch_size: int,
    seed: int | None = None,
    length_sorted: bool = False,
    endless: bool = False,
    examples: int | None = None,
) -> Iterator[Batch]:
    """Batches of a dataset, in its order, or shuffled with ``seed``.

    ``length_sorted`` puts examples of like length together (stable, so results keep their meaning: sort back with
    ``length_order``). ``endless`` starts over, shuffled anew, for training. ``examples`` takes that many, shuffled.
    """
    from torch.utils.data import DataLoader

    arranged = collator.arrange(dataset)
    generator = torch.Generator().manual_seed(seed or 0)
    while True:
        order = list(range(len(arranged)))
        if seed is not None:
            order = torch.randperm(len(arranged), generator=generator).tolist()
        order = order[:examples]
        if length_sorted:
            order.sort(key=lambda index: collator.size(arranged[index]))
        groups = [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
        # the loader draws a number for each pass: from a generator of its own, for the global one is the model's
        own = torch.Generator().manual_seed(0)
        yield from DataLoader(arranged, batch_sampler=groups, collate_fn=collator, generator=own)
        if not endless:
            return


def length_order(dataset: Dataset, collator: Collator) -> list[int]:
    """The order in which ``length_sorted`` batches of an unshuffled dataset hand out its examples."""
    return sorted(range(len(dataset)), key=lambda index: collator.size(dataset[index]))


def per_example_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each example, shape (batch,), in nats: of its class, or the mean over its own tokens."""
    return losses_of(model, logits_of(model, batch), batch["labels"], label_smoothing)


def logits_of(model: nn.Module, batch: Batch) -> Tensor:
    """(batch, classes) or (batch, tokens, vocabulary); a translator goes on from the targets in the labels."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    config: Any = model.config
    if batch["labels"].dim() == 2 and config.is_encoder_decoder:
        inputs["decoder_input_ids"] = shifted(batch["labels"], model)
    return model(**inputs).logits


def losses_of(model: nn.Module, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The same from logits that are there already, (batch, classes) or (batch, tokens, vocabulary)."""
    if labels.dim() == 1:
        return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    config: Any = model.config
    if not config.is_encoder_decoder:
        logits, labels = logits[:, :-1], labels[:, 1:]
    losses = functional.cross_entropy(
        logits.transpose(1, 2), labels, reduction="none", ignore_index=IGNORED, label_smoothing=label_smoothing
    )
    return losses.sum(-1) / (labels != IGNORED).sum(-1).clamp_min(1)


def shifted(labels: Tensor, model: Any) -> Tensor:
    """Decoder input of shape (batch, target tokens): the same as the model makes of labels that it is given.

    For most the start mark, then the labels but the last; mBART turns the language's code from the end to the front.
    """
    config = model.config
    if hasattr(model, "prepare_decoder_input_ids_from_labels"):
        return model.prepare_decoder_input_ids_from_labels(labels.clone())  # some fill the padding in place
    start = labels.new_full((labels.shape[0], 1), config.decoder_start_token_id)
    moved = torch.cat([start, labels[:, :-1]], dim=1)
    return moved.masked_fill(moved == IGNORED, config.pad_token_id)
