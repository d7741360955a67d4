"""Where the project is: the folder that holds ``methods/`` and ``params.yaml``; and which profiles it has."""

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
