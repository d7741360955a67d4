"""What a model says: its answers to a few examples, dense and with more and more of it gone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.results.load import DENSE
from headroom.results.said import FOLDER, SHARES
from headroom.site.names import slug

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Line:
    """The answers of one method to one example."""

    setting: str
    group: str
    method: str
    title: str
    said: dict[float, str]  # by the share that is gone


@dataclass(frozen=True)
class Example:
    """What the model was given, what the data want, and what it said."""

    number: int
    given: str
    wanted: str
    image: str  # where its picture lies, from the top of the site; empty for a text
    dense: dict[str, str]  # what the whole model said, by setting
    lines: list[Line]


@dataclass(frozen=True)
class Told:
    """The examples of one model and task."""

    model: str
    task: str
    examples: list[Example]

    @property
    def name(self) -> str:
        """Its id on the page."""
        return said_name(self.model, self.task)

    @property
    def shares(self) -> tuple[float, ...]:
        """The columns of its tables."""
        return SHARES


def said_name(model: str, task: str) -> str:
    """The id of a model and task on the page of what models say."""
    return f"said-{slug(model)}-{slug(task)}"


def told(rows: Sequence[Any], folder: Path, out: Path) -> list[Told]:
    """The rows of the table of answers by model and task; pictures are copied from ``folder`` into ``out``."""
    places = dict.fromkeys((row.model, row.task) for row in rows)
    found = []
    for place in places:
        mine = [row for row in rows if (row.model, row.task) == place]
        numbers = sorted({row.example for row in mine})
        examples = [_example([row for row in mine if row.example == number], folder, out) for number in numbers]
        found.append(Told(*place, examples))
    return found


def _example(rows: Sequence[Any], folder: Path, out: Path) -> Example:
    first = rows[0]
    dense = {row.setting: row.said for row in rows if row.method == DENSE}
    lines: dict[tuple[str, str, str], Line] = {}
    for row in rows:
        if row.method != DENSE:
            key = (row.setting, row.group, row.method)
            lines.setdefault(key, Line(*key, row.title or row.method, {})).said[row.target] = row.said
    image = _picture(first.image, folder, out)
    return Example(first.example, first.given, first.wanted, image, dense, list(lines.values()))


def _picture(path: str, folder: Path, out: Path) -> str:
    """Copy a picture of the profile; nothing is copied that lies elsewhere or is no PNG."""
    source = (folder / path).resolve()
    inside = bool(path) and source.is_relative_to((folder / FOLDER).resolve()) and source.is_file()
    if not inside or source.read_bytes()[: len(PNG)] != PNG:
        return ""
    target = f"{FOLDER}/{slug(source.stem)}.png"
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, out / target)
    return target
