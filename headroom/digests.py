"""Files by what is in them: SHA-256, so that what was stored is taken for what it holds."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def of_file(path: Path) -> str:
    """SHA-256 of one file, in 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path inside, in the order of the paths; hidden ones are left out."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            found[inside.as_posix()] = of_file(path)
    return found


def file_hash(*paths: Path) -> str:
    """SHA-256 over the contents of files, and of all ``*.py`` and ``*.yaml`` files inside folders, by name."""
    digest = hashlib.sha256()
    for path in expanded(paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def expanded(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = (file for file in path.rglob("*") if file.suffix in (".py", ".yaml")) if path.is_dir() else [path]
        found.extend(sorted(inside))
    return found
