"""What a folder says beside its config: what the model was, what is gone, who loaded it, and its files by their hashes.

A stock config has no words for any of it; a loader passes the file by.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.api import Site, Unit
from headroom.attention.anatomy import anatomy
from headroom.attention.families import supported_class
from headroom.attention.saving import PLAN
from headroom.attention.state import Removal, Shape
from headroom.digests import of_file
from headroom.errors import UserError

NOTE = "headroom_shipped.json"
VERSION = 1
# whoever serves a model may edit how it generates, but not these
BINDING = (".safetensors", ".py", ".gguf", ".onnx", ".data")


@dataclass(frozen=True)
class Note:
    """The note of a folder."""

    kind: str  # as shipped.FORMATS has them
    sentence: str
    removal: Removal  # without a config
    loaders: tuple[str, ...]  # how each found the folder when it was written
    files: dict[str, str]  # SHA-256 by name


def write(model: Any, folder: Path, kind: str, sentence: str, loaders: Sequence[str]) -> None:
    """Write the note of a folder in which everything else lies already."""
    plan = anatomy(model)
    shape = plan.removal.shape
    note = {
        "version": VERSION,
        "kind": kind,
        "sentence": sentence,
        "class": supported_class(type(model)),
        "family": plan.family,
        "layers": shape.layers,
        "heads": {str(site): count for site, count in sorted(shape.heads.items())},
        "groups": {str(site): count for site, count in sorted(shape.groups.items())},
        "removed": sorted(map(str, plan.removal.units)),
        "loaders": list(loaders),
        "files": {path.name: of_file(path) for path in sorted(folder.iterdir()) if path.is_file()},
    }
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Note | None:
    """The note of a folder, None where it has none. Raises ``UserError`` for a damaged one or another version."""
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise UserError(f"{folder / NOTE} has version {found['version']!r}; this Headroom reads version {VERSION}.")
        heads, groups = ({Site.parse(site): int(n) for site, n in found[key].items()} for key in ("heads", "groups"))
        shape = Shape({str(stack): int(n) for stack, n in found["layers"].items()}, heads, groups)
        removal = Removal(shape, frozenset(map(Unit.parse, found["removed"])), "heads", None)
        return Note(found["kind"], found["sentence"], removal, tuple(found["loaders"]), dict(found["files"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / NOTE} cannot be read: {type(error).__name__}: {error}.") from None


def changed(folder: Path, note: Note) -> list[str]:
    """Files that have gone or are no longer what was written, each in words."""
    found = []
    for name, known in sorted(note.files.items()):
        path = folder / Path(name).name  # of this folder, whatever the note says
        if not path.is_file():
            found.append(f"{name} is missing")
        elif of_file(path) != known and (path.suffix in BINDING or name == PLAN):
            found.append(f"{name} is not what was written: its SHA-256 differs")
    return found
