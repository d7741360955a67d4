"""What is already measured: one file per answer, written whole or not at all, under a hash of all that determines it.

A killed run finds its finished points here and goes on with the one it was in. DVC empties the outputs of a stage
before it runs, so the journal is no output. Two methods that remove the same units share the evaluation.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Journal:
    """A folder of answers. ``remember`` returns the stored answer, or makes it and stores it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0  # answers computed by this process, for the summary line

    def remember(self, kind: str, determined_by: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """An answer: JSON values, and NumPy arrays under keys of their own."""
        path = self.path(kind, determined_by)
        stored = self.read(path)
        if stored is not None:
            return stored
        answer = make()
        self.write(path, answer)
        self.made += 1
        return answer

    def path(self, kind: str, determined_by: dict[str, Any]) -> Path:
        return self.folder / kind / f"{key_of(determined_by)}.npz"

    def read(self, path: Path) -> dict[str, Any] | None:
        """What was stored there; None where there is nothing, or something else than was written under this key.

        Raises ``PermissionError`` where it may not be read: that is no reason to forget it.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = json.loads(str(file["__json__"]))
                if stored["key"] != key_in(path):
                    raise ValueError("the answer to another question")
                return stored["plain"] | {name: file[name] for name in stored["arrays"]}
        except FileNotFoundError:
            return None
        except PermissionError:
            raise
        except Exception:  # whatever a damaged archive makes of its reader: forget it and measure again
            path.unlink(missing_ok=True)
            return None

    def write(self, path: Path, answer: dict[str, Any]) -> None:
        """Store an answer whole or not at all, with its key and the names of its arrays inside."""
        arrays = {name: value for name, value in answer.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in answer.items() if name not in arrays}
        stored = json.dumps({"key": key_in(path), "arrays": list(arrays), "plain": plain})
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.stem}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                np.savez(file, allow_pickle=False, __json__=np.array(stored), **arrays)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def key_in(path: Path) -> str:
    """What a file of the journal is the answer to: its kind and its key."""
    return f"{path.parent.name}/{path.stem}"


def key_of(determined_by: dict[str, Any]) -> str:
    """The same inputs give the same 32 hex digits, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(determined_by, sort_keys=True, default=str).encode()).hexdigest()[:32]
