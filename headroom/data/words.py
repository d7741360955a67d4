"""What the libraries say, made fit for a sentence of ours, and nothing of it printed by themselves."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LONG = 200  # letters of what a library says
SPEAKING = (OSError, ValueError, RuntimeError)  # say what is wrong in words; a KeyError says no more than a word


def said(error: BaseException) -> str:
    """What a library says, as one sentence of one line, bounded."""
    text = " ".join(str(error).split())[:LONG].rstrip(".: ")
    name = type(error).__name__
    return f"{text}." if text and isinstance(error, SPEAKING) else f"{name}: {text}." if text else f"{name}."


@contextmanager
def hushed() -> Iterator[None]:
    """Nothing reaches the terminal, for libraries in Rust write their traces there past Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of the libraries while small files are read and written."""
    import datasets
    from transformers.utils import logging

    bars = datasets.are_progress_bars_disabled(), logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            logging.enable_progress_bar()


@contextmanager
def silent() -> Iterator[None]:
    """No bars, warnings or reports of transformers: what matters of them is said by us, or refused."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with quiet(), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.set_verbosity(before)
