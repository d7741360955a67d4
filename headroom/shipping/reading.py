"""Folders read back, whichever way they were written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headroom.attention.families import CLASS_NAMES
from headroom.attention.own import class_named
from headroom.attention.saving import OWN_WEIGHTS, PLAN, WEIGHTS, load_removed
from headroom.data.words import said, silent
from headroom.errors import UserError, suggest
from headroom.models.weights import check_files, check_whole
from headroom.shipping import deci
from headroom.shipping.code import FILE

OF_CODE = ("auto_map", "per_layer_config", "query_heads", "allow_global_per_layer_attribute_access")


def config_in(folder: Path) -> dict[str, Any]:
    """What config.json says. Raises ``UserError``."""
    file = folder / "config.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder}: holds no config.json, so it is no model of transformers.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read: {said(error)} Fetch or save it again.") from None
    if not isinstance(found, dict):
        raise UserError(f"{file} holds no mapping. Fetch or save it again.")
    return found


def kind_of(folder: Path) -> str:
    """``stock``, ``code``, ``headroom`` or ``deci``, from the files. Raises ``UserError`` where there is no config."""
    config = config_in(folder)
    if config.get("model_type") == deci.MODEL_TYPE:
        return "deci"
    if not (folder / PLAN).is_file():
        return "code" if str(config.get("model_type")).startswith("headroom_") else "stock"
    if "auto_map" in config and "per_layer_config" in config:
        return "code"
    return "headroom" if (folder / OWN_WEIGHTS).is_file() or not (folder / WEIGHTS).is_file() else "stock"


def opened(folder: Path) -> Any:
    """The model of a folder in eval mode, with every weight from its files. No code of the folder is run.

    Raises ``UserError`` for a class that Headroom does not know, and for files that are missing or damaged.
    """
    with silent():
        if kind_of(folder) == "deci":
            return deci.read(folder)
        if kind_of(folder) != "stock":
            check_code(folder)
            return load_removed(folder)
        return _stock(folder)


def check_code(folder: Path) -> None:
    """Raises ``UserError`` where what a folder with code of its own needs has gone."""
    for name in (FILE, PLAN, OWN_WEIGHTS) if kind_of(folder) == "code" else ():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; write the folder again.")


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


@contextmanager
def as_headroom(folder: Path) -> Iterator[Path]:
    """Where Headroom's own loaders find a model without running its code: the folder itself, but for one with code.

    That one holds all that ``load_removed`` wants, but names a model type that config loaders refuse. For the length
    of the ``with`` block there is a folder with links to its files and the config of the dense model.
    """
    if not (folder / PLAN).is_file() or kind_of(folder) != "code":
        yield folder
        return
    with TemporaryDirectory(prefix="headroom-") as view:
        for path in folder.iterdir():
            if path.is_file() and path.name not in ("config.json", FILE):
                (Path(view) / path.name).symlink_to(path.resolve())
        (Path(view) / "config.json").write_text(json.dumps(_dense_config(folder), indent=2) + "\n", encoding="utf-8")
        yield Path(view)


def _dense_config(folder: Path) -> dict[str, Any]:
    """The config of a folder with code as that of the dense model, without the words of its own."""
    config = {key: value for key, value in config_in(folder).items() if key not in OF_CODE}
    model_type = str(config.get("model_type")).removeprefix("headroom_")
    named = [str(name).removeprefix("Pruned") for name in config.get("architectures") or ()]
    return config | {"model_type": model_type, "architectures": named}
