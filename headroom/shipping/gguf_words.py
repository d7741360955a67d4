"""The tokenizer in a file of GGUF: byte-level BPE, split in one of the ways that llama.cpp knows by name.

What cannot be said exactly is left out and said, for a text that is split otherwise is a wrong input without any error.
"""

from __future__ import annotations

import json
from typing import Any

BYTES = {"type": "ByteLevel", "add_prefix_space": False}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
# tokenizer.ggml.pre: the steps of tokenizer.json that it stands for, and whether whole words need no merges
SPLITS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "gpt-2": ([BYTES | {"use_regex": True}], False),
    "smollm": ([{"type": "Digits", "individual_digits": True}, BYTES | {"use_regex": True}], False),
    "llama-bpe": (
        [
            {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
            BYTES | {"use_regex": False},
        ],
        True,
    ),
}
MARKS = ("bos", "eos", "unk", "pad")


def write(writer: Any, tokenizer: Any, vocabulary: int) -> str:
    """Write it, or that there is none. Returns what is left out, in words; empty where all of it is in."""
    if tokenizer is None:
        writer.add_tokenizer_model("none")
        return "there is no tokenizer, so it takes and gives numbers of tokens"
    backend = getattr(tokenizer, "backend_tokenizer", None)
    made = json.loads(backend.to_str()) if backend else {}
    if why := _why_not(made, tokenizer, vocabulary):
        writer.add_tokenizer_model("none")
        return f"the tokenizer is left out ({why}), so it takes and gives numbers of tokens"
    _bpe(writer, made, vocabulary)
    writer.add_tokenizer_pre(_split(made))
    first, last = _marks(tokenizer) or (False, False)
    for mark in MARKS:
        number = getattr(tokenizer, f"{mark}_token_id", None)
        if number is not None:
            getattr(writer, f"add_{mark}_token_id")(number)
    writer.add_add_bos_token(first)
    writer.add_add_eos_token(last)
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, str):
        writer.add_chat_template(template)
    return ""


def _why_not(made: dict[str, Any], tokenizer: Any, vocabulary: int) -> str:
    model = made.get("model", {})
    if (
        model.get("type") != "BPE"
        or model.get("byte_fallback")
        or (made.get("decoder") or {}).get("type") != "ByteLevel"
    ):
        return "it is no byte-level BPE"
    if made.get("normalizer"):
        return f"it normalises texts ({made['normalizer'].get('type')})"
    if not _split(made):
        return f"llama.cpp has no name here for how it splits texts; known are {', '.join(SPLITS)}"
    if _marks(tokenizer) is None:
        return "it puts more around a text than marks of begin and end"
    if len(_pieces(made)) and max(_pieces(made).values()) >= vocabulary:
        return f"it has more tokens than the model, which knows {vocabulary}"
    return ""


def _split(made: dict[str, Any]) -> str:
    """How llama.cpp calls the way in which texts are split; empty for one that is not known here."""
    steps = made.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    found = [{key: value for key, value in step.items() if key != "trim_offsets"} for step in steps]
    whole = bool(made["model"].get("ignore_merges"))
    return next((name for name, known in SPLITS.items() if known == (found, whole)), "")


def _marks(tokenizer: Any) -> tuple[bool, bool] | None:
    """Whether a mark of begin stands before every text, and one of end behind it; None where it is something else."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    found = tokenizer("a")["input_ids"]
    for first in (False, True):
        for last in (False, True):
            begin, end = [tokenizer.bos_token_id] * first, [tokenizer.eos_token_id] * last
            if found == [*begin, *plain, *end]:
                return first, last
    return None


def _pieces(made: dict[str, Any]) -> dict[str, int]:
    return dict(made["model"]["vocab"]) | {one["content"]: one["id"] for one in made.get("added_tokens", ())}


def _bpe(writer: Any, made: dict[str, Any], vocabulary: int) -> None:
    from gguf import TokenType

    pieces = [f"[PAD{number}]" for number in range(vocabulary)]
    kinds = [int(TokenType.UNUSED)] * vocabulary
    for piece, number in _pieces(made).items():
        pieces[number], kinds[number] = piece, int(TokenType.NORMAL)
    for one in made.get("added_tokens", ()):
        kinds[one["id"]] = int(TokenType.CONTROL if one["special"] else TokenType.USER_DEFINED)
    merges = [one if isinstance(one, str) else " ".join(one) for one in made["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(pieces)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
