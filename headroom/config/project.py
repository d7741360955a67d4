"""Where the project is, and which profiles it has.

The project is the folder that holds ``methods/`` and ``params.yaml``.
"""

from functools import cache
from pathlib import Path
from typing import Any

from headroom.config.located import read_yaml
from headroom.errors import UserError

FOLDERS = ("results", "work", "site")  # keys of a params.yaml: where a profile writes
OURS = ("headroom", "methods", "tasks", "tests", "profiles")  # what is written by people


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


def check_folders(path: Path, content: dict[str, Any]) -> None:
    """Raises ``UserError`` for a profile that would write among its own files, another profile's, or the sources.

    Of its own folders the pages alone may lie inside another one, the results. ``content`` is what ``path`` holds.
    """
    own = {key: Path(str(content[key])) for key in FOLDERS if key in content}
    for key, folder in own.items():
        for ours in OURS:
            if nested(folder, Path(ours)):
                raise UserError(f"{path}: {key} is '{folder}', which meets the folder {ours}. Name one of its own.")
        for other, theirs in own.items():
            inside = (other, key) == ("results", "site") and folder != theirs and folder.is_relative_to(theirs)
            if key > other and nested(folder, theirs) and not inside:
                raise UserError(
                    f"{path}: {key} is '{folder}' and {other} is '{theirs}'. Give each a folder of its own."
                )
    for file in profiles():
        if (root() / file).resolve() != path.resolve():
            _check_apart(path, own, file, read_yaml(root() / file), str(content.get("profile")))


def _check_apart(path: Path, own: dict[str, Path], file: Path, content: dict[str, Any], name: str) -> None:
    shipped = path.resolve() in {(root() / other).resolve() for other in profiles()}
    if not shipped and content.get("profile") == name:
        return  # somebody's copy, changed to try something: the same profile, and no second one
    if content.get("profile") == name:
        raise UserError(f"{path}: profile is '{name}', and so is that of {file}. Give it a name of its own.")
    for key, folder in own.items():
        for other in FOLDERS:
            if other in content and nested(folder, Path(str(content[other]))):
                raise UserError(
                    f"{path}: {key} is '{folder}', and {file} has its {other} in '{content[other]}'. One profile would "
                    "overwrite the other; give this one folders of its own."
                )


def nested(one: Path, other: Path) -> bool:
    """Whether one folder is the other, or lies inside it."""
    return one.is_relative_to(other) or other.is_relative_to(one)
