"""A seat on a node of a Ray cluster: an actor with a pool of one process, so that a method is as far from Ray and from
the books as it is on one machine, and ends, hangs and crashes with the same sentences.
"""

from __future__ import annotations

import logging
import os
import pickle
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headroom.pipeline.desk import Desk
from headroom.pipeline.model_run import PACKAGES
from headroom.pipeline.parcels import Parcel, packed
from headroom.pipeline.workers import Workers
from headroom.pipeline.working import RUN_ENDS

Line = tuple[str, int, str]  # of a log: who says it, how grave it is, what


@dataclass(frozen=True)
class Mark:
    """A file that the driver has just written into its folder: whoever can read it there shares the disk."""

    folder: str
    file: str
    text: str


@dataclass(frozen=True)
class Seated:
    """What a seat says of its node."""

    node: str  # its address
    node_id: str  # as Ray names it
    shared: bool  # whether it has the driver's disk
    versions: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer, trouble or what ends the run (see ``working.answered``), the log, and files that it speaks of."""

    kind: str
    content: Any
    lines: list[Line]
    parcels: Sequence[Parcel] = ()


class Seat:
    """Answers one question at a time. Lines of the log are fetched by ``news``, also while it works."""

    def __init__(self, threads: int, imports: Sequence[str], environment: Mapping[str, str]) -> None:
        self.threads, self.imports, self.environment = threads, imports, environment
        self.lines: list[Line] = []
        self.desk: Desk | None = None

    def sit(self, mark: Mark) -> Seated:
        """Go to the driver's folder, or to one that looks like it, and get ready to work."""
        import ray

        code = Path.cwd()  # Ray has unpacked it there
        os.environ.update(self.environment)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
        shared = reads(mark)
        if shared:
            os.chdir(mark.folder)
        else:
            self.desk = Desk(code)
            os.environ.update(self.desk.environment)
            os.chdir(self.desk.folder)
        vars(sys.modules["__main__"]).pop("__file__", None)  # or every process would first run this worker of Ray's
        logging.basicConfig(level=logging.INFO, handlers=[Noted(self.lines)], force=True)
        self.workers = Workers(1, self.threads, self.imports)
        return Seated(ray.util.get_node_ip_address(), ray.get_runtime_context().get_node_id(), shared, versions())

    def answer(self, sent: bytes, needed: Sequence[Parcel]) -> Reply:
        """Work on a pickled question, once the files that it reads are there."""
        try:
            for parcel in needed:
                if self.desk:
                    self.desk.lay(parcel)
            question = pickle.loads(sent)  # noqa: S301 - of our own driver, by the same door as everything from Ray
            ((_, answer),) = self.workers.ask([question])
            parcels = [packed(path, path) for path in self.made(question, answer)]
            return Reply("answer", answer, self.news(), parcels)
        except RUN_ENDS as error:
            return Reply("raise", error, self.news())

    def made(self, question: Any, answer: Any) -> Sequence[Path]:
        """Files that the driver's disk lacks."""
        return question.written(answer) if self.desk else ()

    def news(self) -> list[Line]:
        """Lines of the log since the last time."""
        lines, self.lines[:] = [*self.lines], []
        return lines


class Noted(logging.Handler):
    """Log lines, kept until they are fetched."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.name, record.levelno, record.getMessage()))


def reads(mark: Mark) -> bool:
    """Whether the driver's mark can be read here."""
    try:
        return Path(mark.file).read_text(encoding="utf-8") == mark.text
    except OSError:
        return False


def versions() -> dict[str, str]:
    """What a number depends on beside the code."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
