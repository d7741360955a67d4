"""What a model wants of its input, read in one place: from its own files, params.yaml and the task at hand.

Collators and evaluators take it from here, preflight asks it before anything runs, and records state it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headroom.config.model_spec import WEIGHTS
from headroom.config.tasks import Task
from headroom.data.batches import Collator
from headroom.data.classes import Order, order_of
from headroom.data.images import ImageCollator
from headroom.data.language import LanguageCollator
from headroom.data.languages import Spoken, spoken
from headroom.data.padding import answers_at, one_end, one_padding
from headroom.data.processor_facts import image_troubles, in_words
from headroom.data.start import Start, start_of
from headroom.data.text import SEGMENTS, ClassificationCollator, TranslationCollator
from headroom.errors import UserError

LENGTH = 128  # tokens of an input where nobody states how many, and the model reads so many
# Families with a table of positions, which ends.
TABLES = ("bert", "roberta", "distilbert", "gpt2", "opt", "bart", "mbart", "marian", "marian_ssru")
RIGHT = {"multiple-choice": "right choice", "continuation": "continuation"}  # what answers a question
ENDLESS = 10**9  # a tokenizer that states no longest input states a number above


@dataclass(frozen=True)
class Contract:
    """One model, as what it is fed has to know it."""

    config: Any
    tokenizer: Any = None
    processor: Any = None  # of images
    generation: Any = None  # its generation_config, where it has one
    length: int = LENGTH  # longest input, tokens
    trained_here: bool = False
    classes: Sequence[str] | None = None  # the model's, in the order of its logits, as params.yaml names them
    languages: Mapping[str, str] = field(default_factory=dict)  # the tokenizer's code for a task's language
    named: Mapping[str, Sequence[str] | None] = field(default_factory=dict)  # the classes of each task's data
    where: str = "the model"  # its folder or Hub id, for messages

    @classmethod
    def of(cls, model: Any, reader: Any, **known: Any) -> Contract:
        """The contract of a model in memory. ``reader`` is its tokenizer or image processor."""
        from transformers import PreTrainedTokenizerBase

        kind = "tokenizer" if isinstance(reader, PreTrainedTokenizerBase) else "processor"
        generation = getattr(model, "generation_config", None)
        return cls(model.config, generation=generation, **{kind: reader}, **known)

    def collator(self, task: Task) -> Collator:
        """What makes batches of a task's examples. Raises ``UserError`` for the first thing that does not fit."""
        match task.purpose:
            case "translation":
                self.padding, self.end  # noqa: B018 - makes tokenizer and config agree
                return TranslationCollator(self.spoken(task), self.length)
            case "language":
                return LanguageCollator(self.tokenizer, self.length, self.start, task.calibration)
            case "classification":
                self.padding, self.mark(task)
                collator: Collator = ClassificationCollator(self.tokenizer, self.length, has_segments(self.config))
            case _:
                collator = ImageCollator(self.processor, self.config)
        collator.label_of = self.order(task)
        return collator

    @cached_property
    def padding(self) -> str:
        """The one padding token of tokenizer and config."""
        return one_padding(self.tokenizer, self.config, self.where, self.generation)

    @cached_property
    def end(self) -> str:
        """The mark at which a translation ends."""
        return one_end(self.tokenizer, self.config, self.where, self.generation)

    def mark(self, task: Task) -> str | None:
        """The mark at which an encoder-decoder classifies; None for all other models."""
        if not self.config.is_encoder_decoder:
            return None
        return answers_at(self.tokenizer, self.config, self.where, 1 + task.pair)

    @cached_property
    def start(self) -> Start:
        """What stands in front of a text, and of each window of it."""
        return start_of(self.config, self.tokenizer, self.trained_here, self.generation)

    def spoken(self, task: Task) -> Spoken:
        """The tokenizer set to the languages of a translation."""
        return spoken(task, self.tokenizer, self.config, self.generation, self.languages, self.where)

    def order(self, task: Task) -> Order:
        """The logit of each class of a task."""
        return order_of(task, self.named.get(task.name, task.classes), self.config, self.classes, self.where)

    def class_names(self, task: Task) -> dict[int, str]:
        """What the classes of a task are called, by the label of the data; nothing where nobody has named them."""
        if names := self.named.get(task.name, task.classes):
            return dict(enumerate(names))
        return {}

    def pixels(self) -> str:
        """What becomes of an image, in words. Raises ``UserError`` where the model cannot read what comes out."""
        if found := image_troubles(self.processor, self.config):
            raise UserError(f"{self.where}: preprocessor_config.json: {' '.join(found)}")
        return in_words(self.processor, self.config)

    def stated(self, task: Task) -> dict[str, str]:
        """All of it that matters for a task, in words, for records."""
        return {name: say() for name, say in self._parts(task)}

    def troubles(self, task: Task) -> list[str]:
        """A sentence for each part that does not fit, all at once."""
        found = []
        for _, say in self._parts(task):
            try:
                say()
            except UserError as error:
                found.append(str(error))
        return found

    def _parts(self, task: Task) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "task", lambda: f"{task.name}, version {task.version}: {task.evaluator}"
        if weights := getattr(self.config, WEIGHTS, ""):
            yield "weights", lambda: str(weights)
        if task.purpose == "image-classification":
            yield "image", self.pixels
            yield "classes", lambda: self.order(task).said
            return
        yield "tokenizer", lambda: f"{type(self.tokenizer).__name__}, at most {self.length} tokens"
        if task.purpose == "language":
            yield "start", lambda: self.start.said
            if task.lm_eval:
                yield "calibration", lambda: "documents of lm-eval's with their right answers"
            if right := RIGHT.get(task.evaluator):
                yield "calibration", lambda: "context" if task.calibration == "context" else f"context and {right}"
            return
        yield "padding", lambda: f"{self.padding!r} behind each text"
        if task.purpose == "translation":
            yield "end", lambda: f"{self.end!r} behind a translation"
            yield "languages", lambda: self.spoken(task).said
            return
        yield "parts", lambda: self._joined(task)
        if self.config.is_encoder_decoder:
            yield "end", lambda: f"it classifies at {self.mark(task)!r}"
        yield "classes", lambda: self.order(task).said

    def _joined(self, task: Task) -> str:
        if not task.pair:
            return "one"
        kept = has_segments(self.config) and SEGMENTS in self.tokenizer.model_input_names
        return f"two, joined by the tokenizer, {'with' if kept else 'without'} segments"


def longest(config: Any, tokenizer: Any) -> int | None:
    """The most tokens that a model reads at once, as its files state it; None where they state nothing."""
    limits = []
    if config.model_type in TABLES:
        taken = config.pad_token_id + 1 if config.model_type == "roberta" else 0  # it counts on from its padding
        limits.append(int(config.max_position_embeddings) - taken)
    if tokenizer is not None and tokenizer.model_max_length < ENDLESS:
        limits.append(int(tokenizer.model_max_length))
    return min(limits, default=None)


def has_segments(config: Any) -> bool:
    """Whether a model has embeddings of the part of a text that a token belongs to.

    GPT-2 takes ``token_type_ids`` too and looks them up among its words, and a RoBERTa has one part only.
    """
    return getattr(config, "type_vocab_size", 0) > 1
