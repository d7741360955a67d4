"""The one family of errors that is a user's to fix; everything else is a bug and keeps its traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user wrote, named or pointed at is wrong. Printed without a traceback.

    The message says what was wrong, where (file and key), what is allowed and the next step.
    """


EXHAUSTED = ("can't allocate memory", "out of memory")  # torch's ways to say MemoryError


def exhausted(error: BaseException) -> bool:
    """Whether torch says that there is no memory left, the device's or the machine's; it has no class for both."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in EXHAUSTED)


class UnsupportedModel(UserError):
    """The model cannot be gated or removed by Headroom; the message names its class and the supported ones."""


def suggest(wrong: str, allowed: Iterable[str]) -> str:
    """One sentence that names the near match, if any, and everything that is allowed."""
    names = sorted(allowed)
    close = get_close_matches(wrong, names, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Allowed: {', '.join(names) or 'nothing yet'}."


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few names of many, for a sentence."""
    listed = sorted(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
