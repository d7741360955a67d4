"""What a model wants in front of a text and of each window of it: a fact of its family and of its tokenizer.

Published Gemmas score a text at perplexity 650 where windows lack the start mark, and at 21 with it in every one
(Nota-NetsPresso/shortened-llm#6); without it LAMBADA falls from 67 % right to 0 (EleutherAI/lm-evaluation-harness#1465,
#2049 for Gemma 2, #3430 for Gemma 3, ggml-org/llama.cpp#21500 for Gemma 4). Others have seen windows that begin in the
middle of a text: a llama2.c model gets worse where a start mark stands in front of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headroom.errors import UserError

# Part of the family's name, as lm-evaluation-harness#2105 has it: gemma, gemma2, gemma3_text, recurrent_gemma, and what
# will come. The mark has to be one of its own: a model that was trained with one mark between texts, which is their end
# and their start, has seen windows without any, of whatever family it is.
EVERY_WINDOW = ("gemma",)

PROBES = ("a", "the", "0", ".")


@dataclass(frozen=True)
class Start:
    """The mark in front of a text."""

    token: int | None  # None where tokenizer and config name neither a start nor an end mark
    text: str  # as the tokenizer writes it
    every_window: bool  # in front of each window and block, and not of a text's first alone
    adds: bool  # the tokenizer puts it in front by itself, so the context of a question has it too
    said: str  # for people and records, as in "'<bos>' before every window"

    @property
    def before_context(self) -> bool:
        """Whether the context of a question begins with the mark."""
        return self.token is not None and (self.adds or self.every_window)

    def before(self, ids: Sequence[int]) -> list[int]:
        """The tokens behind exactly one mark; a text may begin with one of its own."""
        return list(ids) if self.token is None else [self.token, *self.after(ids)]

    def after(self, ids: Sequence[int]) -> list[int]:
        """The tokens without the mark that they may begin with."""
        return list(ids[1:] if ids and ids[0] == self.token else ids)


def start_of(config: Any, tokenizer: Any, trained_here: bool = False, generation: Any = None) -> Start:
    """The start of a language model's texts.

    ``config`` is the model's, ``generation`` its ``generation_config``, where it has one. ``trained_here``: the model
    saw the end mark between texts, and never the start mark. For all others the rule is lm-eval's, the tokenizer's
    start mark or else its end mark, and then the config's. Raises ``UserError`` with what ``start_troubles`` finds.
    """
    if found := start_troubles(config, tokenizer, trained_here, generation):
        raise UserError(" ".join(found))
    config = _of_text(config)
    own, end = _id(tokenizer.bos_token_id, config), _id(tokenizer.eos_token_id, config)
    front = added_in_front(tokenizer)
    stated = [token for _, token in _stated(config, generation)]
    order = [end, own] if trained_here else [own, *front, *(stated if _wants_every(config) else ()), end, *stated]
    token = next((one for one in order if _id(one, config) is not None), None)
    if token is None:
        return Start(None, "", False, False, "no start mark")
    text = str(tokenizer.decode([token]))
    every = not trained_here and token != end and _wants_every(config)
    where = "before every window" if every else "before each text" if token == end else "before the first window"
    return Start(token, text, every, front == [token], f"{text!r} {where}")


def start_troubles(config: Any, tokenizer: Any, trained_here: bool = False, generation: Any = None) -> list[str]:
    """Sentences about a start mark on which tokenizer and config differ, or that the model cannot read.

    None, -1, an id that is not in the vocabulary and the default of the config's class state nothing: they stand there
    when nobody thought of it. Where config.json and generation_config.json differ, it is enough that one of them agrees
    with the tokenizer.
    """
    config = _of_text(config)
    named, size = tokenizer.bos_token_id, getattr(config, "vocab_size", None)
    if trained_here:
        named = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else named
    if isinstance(named, int) and _id(named, config) is None:
        return [
            f"The tokenizer's start mark {tokenizer.decode([named])!r} has the id {named}, and the model reads ids "
            f"below {size}. Save the tokenizer beside the model that it belongs to."
        ]
    if trained_here:
        return []
    own, front = _id(named, config), added_in_front(tokenizer)
    if len(front) > 1 or (front and own is not None and front != [own]):
        marks = ", ".join(repr(tokenizer.decode([token])) for token in front)
        named_mark = (
            f"names {tokenizer.decode([own])!r} as its start mark" if own is not None else "names no start mark"
        )
        return [
            f"The tokenizer puts {marks} in front of a text and {named_mark} (bos_token); wanted one and the same. "
            "Mend tokenizer_config.json or the post_processor of tokenizer.json."
        ]
    stated = list(_stated(config, generation))
    if own is not None and stated and own not in [token for _, token in stated]:
        said = " and ".join(f"bos_token_id of {where} is {token}" for where, token in stated)
        return [
            f"{said}, and the tokenizer's start mark {tokenizer.decode([own])!r} has the id {own}. Write into "
            f"{stated[0][0]} the one that the model was trained with, or mend bos_token in tokenizer_config.json."
        ]
    if own is None and not stated and _wants_every(config) and not front:
        return [
            f"A {config.model_type} model wants a start mark in front of every window, and neither the tokenizer "
            "(bos_token) nor config.json (bos_token_id) names one. Name it in tokenizer_config.json."
        ]
    return []


def added_in_front(tokenizer: Any) -> list[int]:
    """The tokens that a tokenizer puts in front of a text by itself: asked of it, for settings do not always tell."""
    special = set(tokenizer.all_special_ids)
    for probe in _probes(tokenizer):
        plain, whole = tokenizer.encode(probe, add_special_tokens=False), tokenizer.encode(probe)
        if plain and not special & set(plain):  # else the text could not be told from the marks
            places = (at for at in range(len(whole)) if whole[at : at + len(plain)] == plain)
            return whole[: next(places, 0)]
    return []


def _probes(tokenizer: Any) -> Iterator[str]:
    yield from PROBES
    special = set(tokenizer.all_special_ids)
    ordinary = (token for token in range(len(tokenizer)) if token not in special)
    yield from (tokenizer.decode([token]) for token, _ in zip(ordinary, range(64), strict=False))


def _wants_every(config: Any) -> bool:
    return any(part in config.model_type for part in EVERY_WINDOW)


def _stated(config: Any, generation: Any) -> Iterator[tuple[str, int]]:
    """Which file states which start mark."""
    default = getattr(type(config), "bos_token_id", None)
    token = _id(getattr(config, "bos_token_id", None), config)
    if token is not None and token != default:
        yield "config.json", token
    if generation is not None and not getattr(generation, "_from_model_config", False):  # else a copy of the config's
        token = _id(getattr(generation, "bos_token_id", None), config)
        if token is not None:
            yield "generation_config.json", token


def _id(token: Any, config: Any) -> int | None:
    """A token that the model has a row for."""
    size = getattr(config, "vocab_size", None)
    known = isinstance(token, int) and not isinstance(token, bool) and 0 <= token < (size or token + 1)
    return token if known else None


def _of_text(config: Any) -> Any:
    """The part of a config that is about text; most configs are."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config
