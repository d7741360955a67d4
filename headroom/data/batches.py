"""Batches: turns examples into model inputs with labels. Training, calibration and evaluation all use these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from headroom.config.model_spec import ImageSpec

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerBase

    Batch = dict[str, Tensor]

IGNORED = -100  # label of a position that counts for nothing


class Collator(ABC):
    """Examples to one batch of tensors."""

    def arrange(self, dataset: Dataset) -> Any:
        """The examples that batches are made of: a sequence of dictionaries."""
        return dataset

    def size(self, example: dict[str, Any]) -> int:
        """A number that grows with the length of an example, to sort by."""
        return 0

    @abstractmethod
    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        """One batch of examples as tensors."""


class TranslationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, source tokens), ``labels`` (batch, target tokens).

    Labels are -100 where padded. The model makes its decoder input by shifting them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128) -> None:
        self.tokenizer, self.length = tokenizer, length

    def size(self, example: dict[str, Any]) -> int:
        return len(example["source"])

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        batch = _tokens(self.tokenizer, [example["source"] for example in examples], self.length)
        if all(example.get("target") is not None for example in examples):
            target = _tokens(self.tokenizer, [example["target"] for example in examples], self.length)
            batch["labels"] = target["input_ids"].masked_fill(target["attention_mask"] == 0, IGNORED)
        return batch


class ClassificationCollator(Collator):
    """``input_ids`` and ``attention_mask`` (batch, tokens), ``labels`` (batch,)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int = 128) -> None:
        self.tokenizer, self.length = tokenizer, length

    def size(self, example: dict[str, Any]) -> int:
        return len(example["text"])

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        batch = _tokens(self.tokenizer, [example["text"] for example in examples], self.length)
        return batch | {"labels": torch.tensor([example["label"] for example in examples])}


class ImageCollator(Collator):
    """``pixel_values`` (batch, channels, height, width), normalised as the spec says, and ``labels`` (batch,)."""

    def __init__(self, image: ImageSpec, channels: int) -> None:
        self.image, self.mode = image, "L" if channels == 1 else "RGB"

    def pixels(self, image: Any) -> Tensor:
        """One PIL image as (channels, height, width)."""
        import numpy

        values = torch.from_numpy(numpy.array(image.convert(self.mode))).float() / 255
        values = values[None] if values.dim() == 2 else values.permute(2, 0, 1)
        mean, std = (torch.tensor(value).reshape(-1, 1, 1) for value in (self.image.mean, self.image.std))
        return (values - mean) / std

    def __call__(self, examples: list[dict[str, Any]]) -> Batch:
        return {
            "pixel_values": torch.stack([self.pixels(example["image"]) for example in examples]),
            "labels": torch.tensor([example["label"] for example in examples]),
        }


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


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: list[str], length: int) -> Batch:
    coded = tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")
    return {"input_ids": coded["input_ids"], "attention_mask": coded["attention_mask"]}


def make_collator(purpose: str, model: Any, tokenizer: Any, image: ImageSpec, length: int) -> Collator:
    """The collator for a purpose."""
    if purpose == "image-classification":
        return ImageCollator(image, model.config.num_channels)
    kinds: dict[str, Callable[..., Collator]] = {
        "translation": TranslationCollator,
        "classification": ClassificationCollator,
        "language": LanguageCollator,
    }
    return kinds[purpose](tokenizer, length)


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
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    labels = batch["labels"]
    if labels.dim() == 1:
        logits = model(**inputs).logits
        return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    config: Any = model.config
    if config.is_encoder_decoder:
        logits = model(**inputs, decoder_input_ids=shifted(labels, config)).logits
    else:
        logits, labels = model(**inputs).logits[:, :-1], labels[:, 1:]
    losses = functional.cross_entropy(
        logits.transpose(1, 2), labels, reduction="none", ignore_index=IGNORED, label_smoothing=label_smoothing
    )
    return losses.sum(-1) / (labels != IGNORED).sum(-1).clamp_min(1)


def shifted(labels: Tensor, config: Any) -> Tensor:
    """Decoder input: the start mark, then the labels but the last. The same as the model does with labels given."""
    start = labels.new_full((labels.shape[0], 1), config.decoder_start_token_id)
    moved = torch.cat([start, labels[:, :-1]], dim=1)
    return moved.masked_fill(moved == IGNORED, config.pad_token_id)
