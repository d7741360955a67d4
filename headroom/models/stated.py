"""What the small files of a model state, read before any class is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headroom.config.located import read_json
from headroom.config.plain import shown
from headroom.data.words import hushed, said, silent
from headroom.errors import UserError


def check(content: dict[str, Any], where: str, trust_remote_code: bool = False) -> None:
    """Raises ``UserError`` for a config of code that was not asked for, of another class, or of quantised weights."""
    if (code := content.get("auto_map")) and not trust_remote_code:
        files = code.values() if isinstance(code, dict) else [code]
        raise UserError(
            f"{where}: auto_map names python code that comes with the model ({shown(next(iter(files)))}), and it is "
            "not run unasked. Read it, and say --trust-remote-code or trust_remote_code: true; or delete the key, for "
            "the library's own class."
        )
    if "quantization_config" in content and content["quantization_config"] is not None:
        how = content["quantization_config"]
        method = how.get("quant_method") if isinstance(how, dict) else how
        raise UserError(
            f"{where}: quantization_config says {method or 'the weights are quantised'}; heads cannot be cut out of "
            "such weights. Prune the model in full precision first, quantise after."
        )
    check_class(content.get("architectures"), where)
    check_marks(content, where)


def check_marks(content: Mapping[str, Any], where: str) -> None:
    """Raises ``UserError`` for a token that is no number; an end may be one of several."""
    for key, value in content.items():
        if key.endswith("_token_id") and value is not None:
            tokens = value if isinstance(value, list) and key == "eos_token_id" else [value]
            if not all(type(token) is int for token in tokens):
                raise UserError(f"{where}: {key} is {shown(value)}; wanted the number of a token.")


def check_class(named: Any, where: str) -> None:
    """Raises ``UserError`` for a class that Headroom does not prune, with those of the same family that it does."""
    from headroom.attention.families import CLASS_NAMES, FAMILIES

    if named is None or named == []:
        return
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise UserError(f"{where}: architectures is {shown(named)}; wanted a list with the name of one class.")
    if named[0] in CLASS_NAMES:
        return
    family = max(
        (one for one in FAMILIES if named[0].startswith(one.prefix)), key=lambda one: len(one.prefix), default=None
    )
    instead = (
        f"Of its family there are {', '.join(family.classes)}."
        if family
        else f"Families that it prunes: {', '.join(one.name for one in FAMILIES)}."
    )
    raise UserError(f"{where}: architectures names {named[0][:80]}, which Headroom does not prune. {instead}")


def check_readable(folder: Path, names: Iterable[str]) -> None:
    """Raises ``UserError`` naming the first of these files that is there and holds no mapping of JSON."""
    for name in names:
        if (folder / name).exists():
            read_json(folder / name)


def check_tokenizer(tokenizer: Any, where: str) -> None:
    """Raises ``UserError`` for a tokenizer without words, which the library makes where a file is missing."""
    words = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - set(tokenizer.get_added_vocab())
    if len(words) < 2:
        files = [name for name in tokenizer.vocab_files_names.values() if name] or ["tokenizer.json"]
        raise UserError(
            f"{where}: the tokenizer knows no word: {' and '.join(dict.fromkeys(files))} are missing or empty. Save "
            "the tokenizer that the model was trained with beside it."
        )
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= 1:
        raise UserError(
            f"{where}: tokenizer_config.json: model_max_length is {shown(longest)}; wanted a number of tokens."
        )
    try:
        with hushed(), silent():
            tokenizer(["a b"], text_target=["a"])
            tokenizer(["a"], ["b"])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library in Rust is no Exception
        why = said(error)
        raise UserError(f"{where}: tokenizer.json: no text can be split by it: {why} Fetch or save it again.") from None
