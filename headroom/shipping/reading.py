"""Folders read back, whichever way they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headroom.attention.families import CLASS_NAMES
from headroom.attention.own import class_named
from headroom.attention.saving import load_removed
from headroom.data.words import said, silent
from headroom.errors import UserError, suggest
from headroom.models.ours import as_headroom, config_in, kind_of
from headroom.models.weights import check_files, check_whole
from headroom.shipping import gguf, onnx


def opened(folder: Path) -> Any:
    """The model of a folder in eval mode, with every weight from its files. No code of the folder is run.

    A graph of ONNX is a module that only answers.

    Raises ``UserError`` for a class that Headroom does not know, and for files that are missing or damaged.
    """
    with silent():
        kind = kind_of(folder)
        if kind in READERS:
            return READERS[kind](folder)
        with as_headroom(folder) as place:
            return load_removed(place)


def _stock(folder: Path) -> Any:
    named = (config_in(folder).get("architectures") or [None])[0]
    if named not in CLASS_NAMES:
        raise UserError(
            f"{folder / 'config.json'}: architectures names {named}, which Headroom does not prune. "
            f"{suggest(str(named), CLASS_NAMES)}"
        )
    check_files(folder)
    try:
        model, found = class_named(named).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True
        )
    except Exception as error:  # of many kinds of files, read by many kinds of code
        raise UserError(f"{folder} cannot be read: {said(error)} Fetch or save it again.") from None
    check_whole(found, named, str(folder))
    return model.eval()


READERS = {"stock": _stock, "gguf": gguf.read, "onnx": onnx.read}  # all others are read as Headroom's own
