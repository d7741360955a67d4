"""A fence around a method while it runs: what is measured, and what it is measured with, is out of its sight.

It works on what Python is told of: files opened, folders listed, programs started, connections made. A library in C++
that opens a file by itself is not stopped; CONTRIBUTING names that under what a reviewer looks for. Where the
environment names the data, it does so no longer inside, and the working directory is an empty one.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headroom.config.params import Params
from headroom.config.project import root
from headroom.config.tasks import tasks_folder
from headroom.data.hub import home
from headroom.data.loading import data_folder

OUTSIDE = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "socket.connect")
FILES = (
    "open",
    "headroom.read_split",
    "os.listdir",
    "os.scandir",
    "os.rename",
    "os.remove",
    "os.link",
    "os.symlink",
    "shutil.copyfile",
)
CACHES = ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "TRANSFORMERS_CACHE")
NAMES = ("HEADROOM_DATA", "HF_HOME", "HF_TOKEN", *CACHES)


class Fenced(Exception):
    """A method reached for what it is not given. No ``OSError``: those end a run, and this ends a cell."""


_closed: list[str] = []  # folders out of reach now; an audit hook stays for the life of the process, this says what of
_installed: list[bool] = []


@contextmanager
def fenced(params: Params) -> Iterator[None]:
    """Inside the block a method of this profile runs: it can open no data, and start no program or connection."""
    if not _installed:
        sys.addaudithook(_refuse)
        _installed.append(True)
    project = root()  # it is found from the working directory, once
    ours = [project / folder.parts[0] for folder in (params.work, params.results) if folder.parts]  # of all profiles
    folders = [*ours, data_folder(params.data), tasks_folder(), *caches(), node_cache()]
    closed = [str(folder.resolve()) for folder in folders if folder is not None]
    without = {name: value for name, value in os.environ.items() if name not in NAMES}
    with (
        tempfile.TemporaryDirectory(prefix="headroom-") as empty,
        patch.dict(os.environ, without, clear=True),
        chdir(empty),
    ):
        _closed[:] = closed
        try:
            yield
        finally:
            _closed.clear()


@contextmanager
def lifted() -> Iterator[None]:
    """The harness's own work on behalf of a method: files may be written inside the block."""
    before = list(_closed)
    _closed.clear()
    try:
        yield
    finally:
        _closed[:] = before


def caches() -> Iterable[Path]:
    """Where data sets and models of the Hub lie."""
    return [home(), *(Path(os.environ[name]) for name in CACHES if name in os.environ)]


def node_cache() -> Path:
    """Where a node without the driver's disk keeps models and data, see ``desk``."""
    return Path(tempfile.gettempdir()) / f"headroom-{getpass.getuser()}"


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _closed:
        return
    if event in OUTSIDE:
        raise Fenced(f"it tried {event}; a method starts no program and no connection.")
    if event not in FILES:
        return
    for path in arguments[:2]:
        if isinstance(path, str | bytes | os.PathLike) and within(os.fsdecode(path)):
            raise Fenced(
                f"it reached for {Path(os.fsdecode(path)).name}; a method is given calibration examples by "
                "ctx.calibration and sees no data, models or results beside them."
            )


def within(path: str) -> bool:
    """Whether a path leads below a closed folder, by whichever links."""
    real = os.path.realpath(path)
    return any(real == folder or real.startswith(folder + os.sep) for folder in _closed)
