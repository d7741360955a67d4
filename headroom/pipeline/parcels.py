"""Files on their way between machines without a common disk: in pieces through Ray's object store, known by content."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from headroom.data.hub import home
from headroom.data.loading import data_folder
from headroom.errors import UserError
from headroom.models.packages import cache_folder

logger = logging.getLogger(__name__)

PIECE = 64 * 2**20  # bytes; one that is many times smaller than any object store
WAITS = (1, 2, 4, 8, 16, 32)  # seconds, while a full object store writes to its disk or somebody fetches
ELSEWHERE = ("HF_HUB_CACHE", "HEADROOM_CACHE", "HEADROOM_DATA")  # what names the folders outside of the project


@dataclass(frozen=True)
class Parcel:
    """A file: where it belongs on a desk, SHA-256 of its content, and references to its pieces."""

    path: str
    digest: str
    pieces: list[Any] = field(compare=False, hash=False)


class Parcels:
    """The files that workers elsewhere need, each put into the object store once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Path, int, int], Parcel] = {}

    def of(self, path: Path) -> list[Parcel]:
        """A file, or all files of a folder."""
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        return [self._parcel(file) for file in files]

    def _parcel(self, file: Path) -> Parcel:
        state = file.stat()
        key = (file, state.st_size, state.st_mtime_ns)
        if key not in self._made:
            self._made[key] = packed(file, place_of(file))
        return self._made[key]


def place_of(file: Path) -> Path:
    """Where a file belongs on a desk. Raises ``UserError`` for one that no desk would know."""
    here = {Path(): Path.cwd()} | {desk_place(name): folder for name, folder in elsewhere().items()}
    for place, folder in here.items():
        if file.absolute().is_relative_to(folder):
            return place / file.absolute().relative_to(folder)
    raise UserError(f"{file} lies outside of project, data and Hub cache: a node without this disk cannot have it.")


def desk_place(name: str) -> Path:
    """Where a desk has the folder that a variable of the environment names."""
    return Path("elsewhere") / name.lower()


def elsewhere() -> dict[str, Path]:
    """The folders outside of the project that a model may lie in, by the variable that names each."""
    folders = dict(zip(ELSEWHERE, (hub(), cache_folder(), data_folder(None)), strict=True))
    return {name: folder.absolute() for name, folder in folders.items() if folder}


def hub() -> Path:
    """The cache of the Hub on this machine."""
    return Path(os.environ.get("HF_HUB_CACHE") or home() / "hub")


def packed(file: Path, place: Path) -> Parcel:
    """A file in the object store."""
    digest, pieces = hashlib.sha256(), []
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
            pieces.append(put(piece))
    return Parcel(place.as_posix(), digest.hexdigest(), pieces)


def put(piece: bytes) -> Any:
    """A reference to bytes in the object store, which may be full for a while. Raises ``UserError`` if it stays so."""
    import ray
    from ray.exceptions import ObjectStoreFullError, OutOfDiskError

    for wait in WAITS:
        try:
            return ray.put(piece)
        except (ObjectStoreFullError, OutOfDiskError):
            logger.warning("The object store of Ray is full; trying again in %d s.", wait)
            Event().wait(wait)
    raise UserError(
        "The object store of Ray is full, and so is the disk that it spills to. Free some, or start the cluster with a "
        "larger one: `ray start --object-store-memory=BYTES`."
    )


def content(parcel: Parcel) -> Iterator[bytes]:
    """The pieces of a file, in order."""
    import ray

    for piece in parcel.pieces:
        yield ray.get(piece)


def unpack(parcel: Parcel, file: Path, pieces: Callable[[Parcel], Iterator[bytes]] = content) -> None:
    """Write a file whole or not at all. Raises ``OSError`` where what came is not what was sent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft, digest = file.with_name(f".{file.name}.{os.getpid()}"), hashlib.sha256()
    try:
        with draft.open("wb") as opened:
            for piece in pieces(parcel):
                digest.update(piece)
                opened.write(piece)
        if digest.hexdigest() != parcel.digest:
            raise OSError(f"{parcel.path} came damaged from another machine.")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
