"""What a format of weights in a package is: which files make it up, and how they become a folder of the library's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from headroom.errors import UserError, some


@dataclass(frozen=True)
class Format:
    """Files of one kind. ``convert`` reads them from a folder and writes another, safe to load and whole."""

    says: str  # in words, for messages
    needs: tuple[str, ...]  # patterns of names, each of a file that has to be there
    convert: Callable[[Path, Path], None]
    takes: tuple[str, ...] = ()  # patterns of others that are unpacked as well

    def fits(self, names: Iterable[str], chosen: str = "") -> bool:
        """Whether files of these names, of which one may be ``chosen``, are of this format."""
        names = list(names)
        whole = all(any(fnmatch(name, pattern) for name in names) for pattern in self.needs)
        return whole and (not chosen or any(fnmatch(chosen, pattern) for pattern in self.needs))

    def wanted(self, names: Iterable[str], chosen: str = "") -> list[str]:
        """The files to unpack; beside a chosen one no other of its kind."""
        rivals = [pattern for pattern in self.needs if chosen and fnmatch(chosen, pattern)]
        return [
            name
            for name in names
            if any(fnmatch(name, pattern) for pattern in (*self.needs, *self.takes))
            and (name == chosen or not any(fnmatch(name, pattern) for pattern in rivals))
        ]


def only(folder: Path, pattern: str) -> Path:
    """The one file of this kind. Raises ``UserError`` where there are several to choose from."""
    first, *more = sorted(folder.glob(pattern))
    if more:
        raise UserError(f"{some(path.name for path in (first, *more))}: name one of them with `file`.")
    return first
