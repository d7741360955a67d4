"""What a translator has to be told of its languages: codes, the first token of a translation, words before a source."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from headroom.config.tasks import Task
from headroom.errors import UserError, suggest

CODE = re.compile(r"__\w+__|[a-z]{2,3}_[A-Z][A-Za-z]+")  # M2M100's, mBART's and NLLB's way to write a language


@dataclass(frozen=True)
class Spoken:
    """A tokenizer set to a pair of languages, and what generation needs beside it."""

    tokenizer: Any
    prefix: str = ""  # in front of every source
    generation: Mapping[str, int] = field(default_factory=dict)  # arguments of ``generate``
    said: str = "one pair, which the model knows"


def spoken(task: Task, tokenizer: Any, config: Any, generation: Any, names: Mapping[str, str], where: str) -> Spoken:
    """How the tokenizer of a translator says the languages of a task.

    ``names`` (params.yaml) gives the tokenizer's code for a language that it calls otherwise. Raises ``UserError`` for
    a model of many languages and a task that names none, a language that the model does not know, and a model that is
    made to begin in another one.
    """
    codes, prefixes = coded(tokenizer), prefixed(config)
    many = getattr(tokenizer, "supported_language_codes", None) or []
    if not (codes or prefixes or many):
        # mBART without its languages: what stands behind a target is turned round to the front like a code
        turned = {"decoder_start_token_id": _target(tokenizer)[-1]} if config.model_type == "mbart" else {}
        return Spoken(tokenizer, generation=turned)
    if task.languages is None:
        known = sorted(codes or prefixes or many)
        raise UserError(
            f"{task.file}: languages: this key is missing, and {where} wants to be told both. Add "
            f"`languages: {{source: ..., target: ...}}`; it knows {', '.join(known[:8])}{', ...' * (len(known) > 8)}."
        )
    source, target = (names.get(name, name) for name in (task.languages.source, task.languages.target))
    keys = {side: _key(task, side, names) for side in ("source", "target")}
    if prefixes:
        key = f"translation_{source}_to_{target}"
        if key not in prefixes:
            raise UserError(
                f"{task.file}: languages: {where}: config.json: task_specific_params has no {key}. "
                f"{suggest(key, prefixes)}"
            )
        return Spoken(tokenizer, prefixes[key], said=f"{prefixes[key]!r} before each source")
    if many:
        code = found(target, {name.strip("><"): name for name in many}, keys["target"], where)
        return Spoken(tokenizer, f"{code} ", said=f"{code!r} before each source")
    ours = copy.deepcopy(tokenizer)
    ours.src_lang = found(source, codes, keys["source"], where)
    ours.tgt_lang = found(target, codes, keys["target"], where)
    first = begins(ours, config, generation, where, task)
    return Spoken(ours, "", first, f"{ours.src_lang} to {ours.tgt_lang}, the first token of a translation is forced")


def coded(tokenizer: Any) -> dict[str, str]:
    """The codes of a tokenizer that is set to a source and a target language, by themselves; empty for all others."""
    if not (hasattr(tokenizer, "src_lang") and hasattr(tokenizer, "tgt_lang")):
        return {}
    names = getattr(tokenizer, "lang_code_to_id", None) or [
        str(token) for token in tokenizer.get_added_vocab() if CODE.fullmatch(str(token))
    ]
    return {name: name for name in names}


def prefixed(config: Any) -> dict[str, str]:
    """The words that T5 wants in front of a source, by ``translation_SOURCE_to_TARGET``, as its config states them."""
    stated = getattr(config, "task_specific_params", None) or {}
    return {name: str(what.get("prefix", "")) for name, what in stated.items() if name.startswith("translation_")}


def found(name: str, codes: Mapping[str, str], key: str, where: str) -> str:
    """The one code that a language goes by: ``en`` is ``en_XX``. Raises ``UserError`` for none, or more than one."""
    fitting = [name] if name in codes else fitting_codes(name, codes)
    if len(fitting) == 1:
        return codes[fitting[0]]
    if fitting:
        raise UserError(f"{key} is {name!r}, which {where} has as {' and '.join(sorted(fitting))}. Name one of them.")
    near = get_close_matches(name, codes, n=3) or sorted(codes)[:8]
    raise UserError(
        f"{key} is {name!r}, and {where} has no such language. It has {len(codes)}, such as {', '.join(near)}. Where "
        "it calls one otherwise, params.yaml: models.NAME.languages says so."
    )


def fitting_codes(name: str, codes: Iterable[str]) -> list[str]:
    """Codes whose first part is the name, whatever their script or country."""
    return [code for code in codes if re.split(r"[_-]", code.strip("_"))[0] == name]


def _key(task: Task, side: str, names: Mapping[str, str]) -> str:
    """Where the code of a language comes from, for messages."""
    name = getattr(task.languages, side)
    return f"params.yaml: models.NAME.languages.{name}" if name in names else f"{task.file}: languages.{side}"


def begins(tokenizer: Any, config: Any, generation: Any, where: str, task: Task) -> dict[str, int]:
    """How a translation begins: with the code of its language forced behind the start token, or in its place.

    That depends on where the tokenizer puts the code of a target. M2M100, NLLB and mBART-50 put it in front, mBART
    behind, from where the model turns it round to the front. Raises ``UserError`` for a code behind where no model
    does so, and where the model's folder states another language.
    """
    target = _target(tokenizer)
    code = tokenizer.convert_tokens_to_ids(_token(tokenizer, tokenizer.tgt_lang))
    if code == target[0]:
        key = "forced_bos_token_id"
    elif code == target[-1] and config.model_type == "mbart":
        key = "decoder_start_token_id"
    else:
        place = "behind" if code == target[-1] else "nowhere around"
        raise UserError(
            f"{where}: the tokenizer puts {tokenizer.tgt_lang} {place} a target, and a {config.model_type} model wants "
            "it in front. Mend tokenizer_config.json (legacy_behaviour of NLLB is such a setting)."
        )
    if code >= config.vocab_size:
        raise UserError(
            f"{where}: {tokenizer.tgt_lang} is token {code}, and config.json: vocab_size is {config.vocab_size}. Save "
            "the tokenizer that the model was trained with beside it."
        )
    others = {tokenizer.convert_tokens_to_ids(_token(tokenizer, name)) for name in coded(tokenizer)} - {code}
    forced, first = (getattr(generation, name, None) for name in ("forced_bos_token_id", "decoder_start_token_id"))
    for stated, wrong, name in (
        (forced, forced not in (None, code), "forced_bos_token_id"),
        (first, first in others, "decoder_start_token_id"),
    ):
        if wrong:
            raise UserError(
                f"{task.file}: languages.target is {tokenizer.tgt_lang}, and {where}: generation_config.json: {name} "
                f"makes every translation begin with {tokenizer.convert_ids_to_tokens(stated)!r}. Take the model's own "
                "language, or mend that file."
            )
    return {key: code}


def _token(tokenizer: Any, language: str) -> str:
    """The token that stands for a language: M2M100 writes ``__de__`` for ``de``, all others the code itself."""
    return getattr(tokenizer, "lang_code_to_token", {}).get(language, language)


def _target(tokenizer: Any) -> list[int]:
    return tokenizer(text_target="x")["input_ids"]
