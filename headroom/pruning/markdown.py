"""Words of other people's files as Markdown that says no more than the words: nothing in them is a mark or a tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from headroom.config.plain import plain

MARKS = re.compile(r"([\\`*_{}\[\]#!|~$:@^])")  # a line of ours never begins with one of these words
TAGS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
LONGEST = 300  # letters


def words(text: object) -> str:
    """A text of one line, to stand anywhere in a paragraph or a table."""
    line = _line(text)
    return MARKS.sub(r"\\\1", "".join(TAGS.get(letter, letter) for letter in line))


def code(text: object) -> str:
    """A text of one line in the letters of code; in a table too."""
    line = _line(text).replace("`", "'").replace("|", "/")
    return f"`{line}`"


def fenced(text: str, language: str = "") -> str:
    """Lines as they are, with a fence that is longer than any in them."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain(text).rstrip()}\n{fence}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells that are Markdown already; all but the first stand to the right."""
    sides = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, sides, *rows))


def _line(text: object) -> str:
    return " ".join(plain(str(text)).split())[:LONGEST]
