"""Questions as running text: how an answer follows its context, and what methods calibrate on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset


def asked(context: str, choices: Sequence[str]) -> list[str]:
    """The choices as they follow their context: after one space, if there is a context and no space yet."""
    gap = " " if context and not context[-1].isspace() and not all(choice[:1].isspace() for choice in choices) else ""
    return [gap + choice for choice in choices]


def texts_of(dataset: Dataset, calibration: str | None = None) -> list[str]:
    """The running text of a split, one string an example: its ``text``, or each question with its right answer.

    ``calibration`` is what the task file says: ``context`` for the questions alone, anything else for both. Raises
    ``UserError`` for questions alone where they have no words, and for columns that hold no running text.
    """
    if "text" in dataset.column_names:
        return list(dataset["text"])
    there = set(dataset.column_names)
    if not any({"context", *answer} <= there for answer in (("choices", "gold"), ("continuation",))):
        raise UserError(
            "A language model calibrates on a column text, on context, choices and gold, or on context and "
            f"continuation; there are {', '.join(sorted(there)) or 'none'}."
        )
    contexts = [context or "" for context in dataset["context"]]
    if calibration == "context":
        if not any(contexts):
            raise UserError(
                "calibration is 'context', and no question of the calibration split has one. Write 'answer', which "
                "takes the right answers."
            )
        return [context for context in contexts if context]
    if "continuation" in there:
        pairs = zip(contexts, dataset["continuation"], strict=True)
        return [context + asked(context, [follows])[0] for context, follows in pairs]
    rows = zip(contexts, dataset["choices"], dataset["gold"], strict=True)
    return [context + asked(context, choices)[int(gold)] for context, choices, gold in rows]
