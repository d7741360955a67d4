"""The first examples of a task as a reader sees them: what the model is given, what is wanted, what it says."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

SHOWN = 4  # examples of each task
BEGINNING = 24  # words of a text that a model is shown before it goes on by itself
FOLLOWS = 12  # tokens that it goes on for
PICTURE = 96  # pixels of the longer side of an image as it is shown, at most


@dataclass(frozen=True)
class Shown:
    """One example: a text or an image in base64 (PNG), and the answer that the data have."""

    given: str
    wanted: str
    picture: str = ""


def shown(evaluator: str, examples: Sequence[dict[str, Any]], names: Mapping[int, str]) -> list[Shown]:
    """Examples of a task. ``names``: of classes, by the label of the data; numbers where there are none."""
    return [one for example in examples if (one := in_words(evaluator, example, names))]


def in_words(evaluator: str, example: dict[str, Any], names: Mapping[int, str]) -> Shown | None:
    """One example of an evaluator; None for one that is not shown."""
    match evaluator:
        case "translation":
            return Shown(example["source"], example["target"])
        case "bits-per-byte":
            given = beginning(example["text"])
            return Shown(given, example["text"][len(given) :].strip())
        case "continuation":
            return Shown(example["context"] or "", example["continuation"])
        case "multiple-choice":
            return Shown(example["context"] or "", example["choices"][int(example["gold"])])
        case "classification":
            texts = [str(value) for name, value in example.items() if name != "label"]
            return Shown("\n".join(texts), names.get(int(example["label"]), str(example["label"])))
        case "image-classification":
            return Shown("", names.get(int(example["label"]), str(example["label"])), picture(example["image"]))
        case _:
            return None


def beginning(text: str) -> str:
    """The first words of a text, half of them at most; the space in front of the next word is not among them."""
    words = text.split()
    count, place = max(1, min(BEGINNING, len(words) // 2)), 0
    for word in words[:count]:
        place = text.index(word, place) + len(word)
    return text[:place]


def picture(image: Any) -> str:
    """An image as PNG in base64, made smaller where it is large."""
    small, file = image.convert("RGB"), BytesIO()
    small.thumbnail((PICTURE, PICTURE))
    small.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
