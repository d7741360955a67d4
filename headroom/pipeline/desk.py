"""A folder on a node without the driver's disk that looks like the driver's project, to whoever works in it.

Code is linked to where Ray put it, and model, data and weights to a cache of this node, where files are known by what
they hold: a model that was here before is not sent again, and eight workers of a node share one copy.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil
from filelock import FileLock

from headroom.digests import of_file
from headroom.errors import UserError
from headroom.pipeline.fence import node_cache
from headroom.pipeline.parcels import ELSEWHERE, Parcel, desk_place, hub, unpack


class Desk:
    """A project of one worker; the next one that comes takes it away when that has ended, and leaves the cache."""

    def __init__(self, code: Path) -> None:
        self.cache, self.hub = owned(node_cache()), hub()
        desks = self.cache / "desks"
        desks.mkdir(exist_ok=True)
        sweep(desks)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=desks))
        for entry in code.iterdir():
            (self.folder / entry.name).symlink_to(entry)

    @property
    def environment(self) -> dict[str, str]:
        """What tells libraries where the files lie that were outside of the project."""
        return {name: str(self.folder / desk_place(name)) for name in ELSEWHERE}

    def lay(self, parcel: Parcel) -> None:
        """Put a file where the driver has it, from the cache if its content is there."""
        kept = self.cache / "files" / parcel.digest
        kept.parent.mkdir(exist_ok=True)
        with FileLock(kept.with_suffix(".lock")):
            if not kept.is_file() and not self._from_hub(parcel.digest, kept):
                unpack(parcel, kept)
        place = self.folder / parcel.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        os.link(kept, place)

    def _from_hub(self, digest: str, kept: Path) -> bool:
        """Take weights from this node's own cache of the Hub, where they are known by their content as well."""
        for blob in self.hub.glob(f"models--*/blobs/{digest}"):
            draft = kept.with_suffix(".draft")
            shutil.copyfile(blob, draft)
            if of_file(draft) == digest:
                draft.replace(kept)
                return True
        return False


def owned(folder: Path) -> Path:
    """The folder, made if need be. Raises ``UserError`` where it is another user's, who could change what is in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to another user. Set TMPDIR on this node to a folder of your own.")
    return folder


def sweep(desks: Path) -> None:
    """Take away what workers left that were killed."""
    for desk in desks.iterdir():
        owner = desk.name.partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(desk, ignore_errors=True)
