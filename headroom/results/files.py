"""Records as files: written whole or not at all, and read only if they are what they claim to be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from headroom.config.located import AT_KEY
from headroom.config.plain import LONGEST, plain, shown
from headroom.errors import UserError

R = TypeVar("R", bound=BaseModel)

LARGEST = 64 * 2**20  # bytes: a hundred times the largest record there is
MEND = "Delete the file and run `dvc repro` to make it again."


def write(path: Path, record: BaseModel) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(path: Path, kind: type[R], where: str = "") -> R:
    """Read and check a record. ``where`` is what messages call the file; its path where that is empty.

    Raises ``FileNotFoundError`` where nothing lies, and ``UserError`` naming the file and the first wrong key for
    whatever else is no such record: text in bytes, a folder, a file that would fill the memory.
    """
    where = where or str(path)
    try:
        content = _content(path, where)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}). {MEND}") from None
    try:
        # strict, so that "0", false and 0.0 are no seed; JSON's 1 is still the number 1.0
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise UserError(f"{where}: {finding(error)} {MEND}") from None


def _content(path: Path, where: str) -> bytes:
    found = path.stat()
    if not S_ISREG(found.st_mode):  # a pipe would be waited for
        raise UserError(f"{where}: is a folder or something else that is no file. Move it away and run `dvc repro`.")
    if found.st_size > LARGEST:
        raise UserError(f"{where}: has {found.st_size >> 20} MiB, and no record is larger than {LARGEST >> 20}. {MEND}")
    return path.read_bytes()


def finding(error: ValidationError) -> str:
    """The first thing that is wrong: its key, its value where that is short, and why."""
    first = error.errors(include_url=False)[0]
    steps = [*first["loc"], *([first["ctx"]["key"]] if first["type"] == AT_KEY else [])]
    key = ".".join(plain(str(step))[:LONGEST].replace("\n", " ") for step in steps) or "the file"
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == AT_KEY:  # it says the value itself
        return f"{key}{message}."
    if first["type"] in ("missing", "json_invalid") or not isinstance(first["input"], str | int | float | None):
        return f"{key}: {message}."
    return f"{key} is {plain(shown(first['input']))}: {message}."
