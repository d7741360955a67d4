"""Where the project is, which profiles it has, and how a folder appears in it whole or not at all.

The project is the folder that holds ``methods/`` and ``params.yaml``.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def root() -> Path:
    """The nearest folder upwards that is a Headroom project, else the one this package was installed from."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "methods").is_dir() and (folder / "params.yaml").is_file():
            return folder
    return Path(__file__).resolve().parents[2]


def profiles() -> list[Path]:
    """The params.yaml of every profile, relative to the project: the root's, then those in ``profiles/``."""
    return [Path("params.yaml"), *sorted(path.relative_to(root()) for path in root().glob("profiles/*/params.yaml"))]


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A draft folder that takes the place of ``folder`` at the end; without an end nothing of it stays.

    After a kill the draft is left, under a name that begins with a dot.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
