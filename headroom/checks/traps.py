"""Evaluation data under a trap: whatever a method tries while it makes its plans, reading them raises.

A method gets calibration examples from its context and nothing else. The trap closes the other ways: data files on
disk, the pipeline's own readers, and the data sets of the Hub.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headroom.checks.toy_bench import Touched

READERS = ("headroom.data.loading.read_split", "headroom.pipeline.bench.read_split", "datasets.load_dataset")
SUFFIXES = (".parquet", ".arrow", ".jsonl", ".csv", ".tsv", ".npz", ".npy", ".txt")

_watching: list[bool] = []  # an audit hook stays for the life of the process: this says when it has a say
_installed: list[bool] = []


@contextmanager
def trapped() -> Iterator[None]:
    """Inside the block, opening a data file or calling a reader raises ``Touched``."""
    if not _installed:
        sys.addaudithook(_refuse)
        _installed.append(True)
    with ExitStack() as stack:
        for reader in READERS:
            stack.enter_context(patch(reader, _snap(reader)))
        _watching.append(True)
        stack.callback(_watching.clear)
        yield


def _snap(reader: str) -> Any:
    def touched(*_: object, **__: object) -> None:
        raise Touched(f"the method called {reader}: calibration examples come from ctx.calibration")

    return touched


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    path = Path(os.fsdecode(arguments[0]))
    if path.suffix in SUFFIXES and "site-packages" not in path.parts:
        raise Touched(f"the method opened {path.name}: calibration examples come from ctx.calibration")
