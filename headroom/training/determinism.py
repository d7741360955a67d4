"""The same bits again: deterministic kernels where torch has them, and the names of operations where it has none."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

LACKING = re.compile(r"(\S+) does not have a deterministic implementation")  # torch's warning


@contextmanager
def deterministic(device: torch.device, lacking: set[str] | None = None) -> Iterator[None]:
    """Ask torch for deterministic kernels and whole float32 products; the state before comes back afterwards.

    On the CPU each operation has one, and a new one without would raise ``RuntimeError``. On an accelerator some have
    none: they run as they can, and their names go into ``lacking``, for the record has to say so.
    """
    lenient = device.type != "cpu"
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix product runs on a GPU
    torch.use_deterministic_algorithms(True, warn_only=lenient)
    rounded, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False  # of convolutions, by default
    listening: Any = warnings.catch_warnings(record=True) if lenient else nullcontext([])
    try:
        with listening as caught:
            if lenient:
                warnings.simplefilter("always")
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.allow_tf32 = rounded
    for one in caught:
        found = LACKING.search(str(one.message))
        if found and lacking is not None:
            lacking.add(found[1])
        else:  # of somebody else, or for whoever listens further out
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
