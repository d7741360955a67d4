"""The life of a worker process: a question, its answer or what went wrong with it, and signs of life in between."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from headroom.errors import UserError, exhausted
from headroom.pipeline.starting import keep_memory, set_threads

RUN_ENDS = (OSError, MemoryError, UserError)  # not a finding on a method or a model: these end the run
LIKELY_VICTIM = "500"  # where memory runs out, the kernel takes a worker before the process that keeps the books


@dataclass(frozen=True)
class Trouble:
    """In place of an answer: why there is none, as a sentence, and the traceback where there is one."""

    reason: str
    trace: str = ""


_pipe: Connection  # of this process, where it is a worker
_talking = threading.Lock()


def tell(kind: str, content: Any) -> None:
    """Send a message to the process that keeps the books."""
    with _talking:
        _pipe.send((kind, content))


def alive() -> None:
    """A sign of life: the time of a question that has a limit begins anew. Does nothing outside a worker."""
    if "_pipe" in globals():
        tell("alive", None)


class Told(logging.Handler):
    """Log lines of a worker, sent to the process that shows the progress."""

    def emit(self, record: logging.LogRecord) -> None:
        tell("log", (record.name, record.levelno, record.getMessage()))


def work(pipe: Connection, threads: int) -> None:
    """The life of a worker: questions from the pipe until it closes."""
    global _pipe
    _pipe = pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who keeps the books decides
    threading.Thread(target=end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(LIKELY_VICTIM)
    logging.basicConfig(level=logging.INFO, handlers=[Told()], force=True)
    set_threads(threads)
    keep_memory()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            kind, content = answered(pipe.recv().answer)
            try:
                tell(kind, content)
            except (pickle.PicklingError, AttributeError, TypeError) as error:  # nothing was sent of it
                tell("answer", Trouble(f"its answer cannot be sent: {type(error).__name__}: {error}"))


def answered(answer: Callable[[], Any]) -> tuple[str, Any]:
    """An answer, trouble, or what ends the run."""
    try:
        return "answer", answer()
    except RUN_ENDS as error:
        return "raise", error
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a method are its own trouble
        if exhausted(error):
            return "raise", MemoryError(str(error).partition("\n")[0])
        return "answer", Trouble(f"{type(error).__name__}: {error}", traceback.format_exc())


def end_with_parent() -> None:
    """Nobody waits for the answers of a worker whose parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
