"""Start a process that computes: its threads, and the large libraries imported with the garbage collector at rest.

They make a million objects that stay for good. At its usual pace the collector walks them again and again: 1.6 of the
3.9 seconds before a process's first line, and a third of a second after its last.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, KEPT = -1, -3, 2**30  # of malloc.h, and bytes


def environment(threads: int) -> None:
    """What libraries read when they are imported, here or in a process that is started from here."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # a thread that waits for one whose core is taken sleeps: with one other job on two cores 4.5 s instead of 20
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork


def set_threads(threads: int) -> None:
    """Before torch's first operation, since trainings differ between thread counts."""
    environment(threads)
    import_libraries()
    import torch

    torch.set_num_threads(threads)


def keep_memory() -> None:
    """Have the C library hold on to what was freed, where it is GNU's. Not for a process that times something.

    It gives each large tensor back to the kernel, which clears the pages again for the next one: a fifth of the time
    that a translator with a large vocabulary takes to be scored.
    """
    with suppress(OSError, AttributeError, TypeError):  # the last where a program has no library of its own: Windows
        allocator = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            allocator.mallopt(option, KEPT)


def import_libraries() -> None:
    """Import torch, datasets and the common part of transformers' models, once the environment is set."""
    gc.disable()
    try:
        import datasets  # noqa: F401
        import torch  # noqa: F401
        import transformers.modeling_utils  # noqa: F401
    finally:
        gc.freeze()  # what is there now is never walked again
        gc.enable()
    atexit.register(gc.freeze)  # nor is anything else when the process ends
