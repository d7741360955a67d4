"""Standard output and error that carry every letter: what a locale cannot show comes as its nearest in ASCII."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

NEAREST = "headroom.nearest"  # our name among the codecs' ways to handle errors
BLOCKS = dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True))  # of sparklines, by how much ink they have
SIGNS = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{PLUS-MINUS SIGN}": "~",
    "\N{HORIZONTAL ELLIPSIS}": "~",
    "\N{MIDDLE DOT}": ".",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
}
RULES = {"─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "━": "-"}  # of the frames around help
LIKE = BLOCKS | SIGNS | RULES  # one letter for one, so that columns stay columns


def nearest(error: UnicodeError) -> tuple[str, int]:
    """For each letter that an encoding lacks, one that looks like it, or a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(LIKE.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


codecs.register_error(NEAREST, nearest)


def lenient() -> None:
    """From here on nothing printed can fail for its letters, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=NEAREST)


def flush() -> None:
    """Write out what is printed. Raises ``OSError`` now and not when the interpreter ends, where nobody can catch it.

    What could not be written is dropped, or the interpreter would try again.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        drop()
        raise


def drop() -> None:
    """Let nothing more be written to standard output: nobody reads it, or it has no room."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
