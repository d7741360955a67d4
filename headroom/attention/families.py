"""The one list of model families and classes. A class that is not listed here is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headroom.attention import layouts
from headroom.errors import UnsupportedModel, suggest


@dataclass(frozen=True)
class Family:
    """Models of one architecture."""

    name: str
    prefix: str  # of the class names
    suffixes: tuple[str, ...]
    stacks: Callable[[Any], tuple[layouts.Stack, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.prefix + suffix for suffix in self.suffixes)


_SEQUENCE, _TOKENS, _ANSWERS = "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"
_ENCODER = ("Model", "ForMaskedLM", _SEQUENCE, _TOKENS, _ANSWERS)
_CAUSAL = ("Model", "ForCausalLM", _SEQUENCE, _TOKENS)
_IMAGES = ("Model", "ForImageClassification")

FAMILIES: tuple[Family, ...] = (
    Family("bert", "Bert", (*_ENCODER, "LMHeadModel"), layouts.bert),
    Family("roberta", "Roberta", (*_ENCODER, "ForCausalLM"), layouts.bert),
    Family("distilbert", "DistilBert", _ENCODER, layouts.distilbert),
    Family("vit", "ViT", _IMAGES, layouts.vit),
    Family("deit", "DeiT", (*_IMAGES, "ForImageClassificationWithTeacher"), layouts.vit),
    Family("gpt2", "GPT2", ("Model", "LMHeadModel", _SEQUENCE, _TOKENS), layouts.gpt2),
    Family("gpt_neox", "GPTNeoX", _CAUSAL, layouts.gpt_neox),
    Family("opt", "OPT", ("Model", "ForCausalLM", _SEQUENCE), layouts.opt),
    Family("bart", "Bart", ("Model", "ForConditionalGeneration", _SEQUENCE), layouts.bart(before=False)),
    Family("marian", "Marian", ("Model", "MTModel"), layouts.bart(before=False)),
    Family("marian_ssru", "MarianSSRU", ("Model", "MTModel"), layouts.marian_ssru),
    Family("mbart", "MBart", ("Model", "ForConditionalGeneration", _SEQUENCE), layouts.bart(before=True)),
    Family("m2m_100", "M2M100", ("Model", "ForConditionalGeneration"), layouts.bart(before=True)),
    Family("t5", "T5", ("Model", "ForConditionalGeneration", "EncoderModel", _SEQUENCE), layouts.t5),
    Family("llama", "Llama", _CAUSAL, layouts.llama),
    Family("mistral", "Mistral", _CAUSAL, layouts.llama),
    Family("qwen2", "Qwen2", _CAUSAL, layouts.llama),
    Family("qwen3", "Qwen3", _CAUSAL, layouts.llama),
    Family("gemma", "Gemma", _CAUSAL, layouts.llama),
    Family("gemma2", "Gemma2", _CAUSAL, layouts.four_norms),
    Family("gemma3", "Gemma3", ("TextModel", "ForCausalLM"), layouts.four_norms),
)
_BY_CLASS = {name: family for family in FAMILIES for name in family.classes}


CLASS_NAMES = tuple(_BY_CLASS)  # what a saved model may say it is


def supported_class(model_class: type) -> str:
    """The name of the listed class that this one is or extends. Raises ``UnsupportedModel`` when there is none."""
    for ancestor in model_class.__mro__:
        if ancestor.__name__ in _BY_CLASS:
            return ancestor.__name__
    name = model_class.__name__
    raise UnsupportedModel(f"{name} cannot be gated or removed by Headroom. {suggest(name, _BY_CLASS)}")


def family_of(model_class: type) -> Family:
    """The family of a model class. Raises ``UnsupportedModel``."""
    return _BY_CLASS[supported_class(model_class)]
