"""What is written appears whole or not at all: a folder in the place of another, or files that belong together.

A draft lies beside what it will be, under a name that begins with a dot, so that both are on one disk and a rename is
all that is left to do at the end.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A draft folder that takes the place of ``folder`` at the end; without an end nothing of it stays.

    After a kill the draft is left, under a name that begins with a dot.
    """
    folder = folder.absolute()
    before = folder.with_name(f".{folder.name}.before")
    if before.is_dir() and not folder.exists():
        before.replace(folder)  # a kill between the two renames below
    with _draft(folder.parent, f".{folder.name}.draft") as draft:
        yield draft
        shutil.rmtree(before, ignore_errors=True)
        if folder.exists():
            folder.replace(before)
        draft.replace(folder)
        shutil.rmtree(before, ignore_errors=True)


@contextmanager
def together(folder: Path, stale: Iterable[str] = ()) -> Iterator[Path]:
    """A draft folder whose files all go into ``folder`` at the end, or none; other files that lie there stay.

    ``stale`` names files that go when the draft has none of that name. Readers call ``finish`` first: a kill while
    the files are moved leaves them where ``finish`` finds them.
    """
    folder = folder.resolve()
    finish(folder)
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise PermissionError(f"{folder} is no folder that can be written to")
    with _draft(_near(folder), f".{folder.name}.draft") as draft:
        yield draft
        gone = [name for name in stale if not (draft / name).exists()]
        if not folder.exists():
            draft.replace(folder)
            return
        draft.replace(_ready(folder))  # from here on the new files are the ones that count
        finish(folder)
        for name in gone:
            (folder / name).unlink(missing_ok=True)


def finish(folder: Path) -> None:
    """Move the files that a killed ``together`` had ready and had not moved yet; mostly there are none."""
    ready = _ready(folder.resolve())
    if not ready.is_dir():
        return
    for path in sorted(ready.iterdir()):
        with suppress(FileNotFoundError):  # another process finishes too
            path.replace(folder / path.name)
    with suppress(FileNotFoundError):
        ready.rmdir()


def _ready(folder: Path) -> Path:
    return _near(folder) / f".{folder.name}.ready"


def _near(folder: Path) -> Path:
    """Where a draft can lie: beside the folder, or in it where it is a disk of its own or its parent is locked."""
    locked = folder.is_dir() and (folder.is_mount() or not os.access(folder.parent, os.W_OK))
    return folder if locked else folder.parent


@contextmanager
def _draft(parent: Path, name: str) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    draft = parent / name
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
