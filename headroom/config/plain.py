"""Text that methods, models and files bring along, made fit to be printed, written and read again."""

import logging
from typing import Any
from unicodedata import bidirectional, category

TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})  # classes of Unicode's bidi marks
KEPT = "\n\t"
LONGEST = 80  # letters of a value that a message repeats


def plain(text: str) -> str:
    """Without what a terminal would obey (ESC) or what turns round the letters that follow (U+202E).

    A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD: JSON would take it, and no reader of JSON gives it back.
    """
    return text if text.isprintable() else "".join(map(_letter, text))


def _letter(letter: str) -> str:
    kind = category(letter)
    if kind == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return "" if bidirectional(letter) in TURNS or (kind == "Cc" and letter not in KEPT) else letter


def cleaned(value: Any) -> Any:
    """A value of JSON with every text in it plain."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(inside) for key, inside in value.items()}
    return [cleaned(inside) for inside in value] if isinstance(value, list | tuple) else value


class PlainLines(logging.Formatter):
    """Lines of the log, which repeat what methods raise and say."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def shown(value: object) -> str:
    """A value as Python writes it, cut where it is long: a message names what is wrong and is no copy of the file."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
