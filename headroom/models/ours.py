"""Folders that Headroom wrote for other loaders, laid out so that its own read them without running their code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from headroom.data.words import said
from headroom.errors import UserError

Kind = Literal["stock", "code", "headroom", "deci", "gguf", "onnx"]
MODELLING = "modeling_pruned.py"  # beside the config of a folder with code
CODE_TYPE = "headroom_"  # its model type begins so, which no stock loader knows
OF_CODE = ("auto_map", "per_layer_config", "pruned_layers", "query_heads", "allow_global_per_layer_attribute_access")
DECI_TYPE, DECI_CLASS = "nemotron-nas", "DeciLMForCausalLM"
# llama.cpp wants a name that begins with model; the library's loaders look for model.safetensors, and must find none
DECI_WEIGHTS = "model-00001-of-00001.safetensors"
ONE_FILE: dict[str, Kind] = {"model.gguf": "gguf", "model.onnx": "onnx"}  # for programs that are no transformers
DECI_PARTS = {"attention": "attention:decoder.self", "ffn": "mlp:decoder.mlp"}  # of a block, as units


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


def kind_of(folder: Path) -> Kind:
    """What a folder is, from its files. Raises ``UserError`` where there is no config."""
    from headroom.attention.saving import OWN_WEIGHTS, PLAN, WEIGHTS  # imports torch, not needed for every question

    config = config_in(folder)
    if config.get("model_type") == DECI_TYPE:
        return "deci"
    for name, kind in ONE_FILE.items():
        if (folder / name).is_file() and not any(folder.glob("*.safetensors")):
            return kind
    if str(config.get("model_type")).startswith(CODE_TYPE):
        return "code"
    if not (folder / PLAN).is_file():
        return "stock"
    return "headroom" if (folder / OWN_WEIGHTS).is_file() or not (folder / WEIGHTS).is_file() else "stock"


def class_in(folder: Path) -> str | None:
    """The class that the list of what is gone names: the config of a model that was made in memory names none."""
    from headroom.attention.saving import PLAN

    try:
        return json.loads((folder / PLAN).read_text(encoding="utf-8")).get("class")
    except (OSError, ValueError, AttributeError):  # its loader says what is wrong
        return None


def check_code(folder: Path) -> None:
    """Raises ``UserError`` where what a folder with code of its own needs has gone."""
    from headroom.attention.saving import OWN_WEIGHTS, PLAN

    for name in (MODELLING, PLAN, OWN_WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; write the folder again.")


def view_of(folder: Path) -> TemporaryDirectory[str] | None:
    """A folder with all that ``load_removed`` wants of one that names other classes; None for all others.

    It holds links to the files and the config of the dense model, and goes with the object. Raises ``UserError`` for
    files that are missing or damaged.
    """
    kind = kind_of(folder) if (folder / "config.json").is_file() else "stock"
    if kind in ONE_FILE.values():
        raise UserError(
            f"{folder}: holds a model in the form {kind}, for other programs. Name the folder that it was made from."
        )
    if kind not in ("code", "deci"):
        return None
    written, renamed = _of_code(folder) if kind == "code" else _of_deci(folder)
    view = TemporaryDirectory(prefix="headroom-")
    for path in folder.iterdir():
        name = renamed.get(path.name, path.name)
        if path.is_file() and path.suffix != ".py" and name not in written:
            (Path(view.name) / name).symlink_to(path.resolve())
    for name, content in written.items():
        (Path(view.name) / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return view


@contextmanager
def as_headroom(folder: Path) -> Iterator[Path]:
    """Where Headroom's own loaders find a model, for the length of the ``with`` block; errors name the folder."""
    view = view_of(folder)
    if view is None:
        yield folder
        return
    with view, named(folder, view.name):
        yield Path(view.name)


@contextmanager
def named(folder: Path | str, view: str | None) -> Iterator[None]:
    """Errors of what is read from a view name the folder: nobody knows of the other."""
    try:
        yield
    except UserError as error:
        if view:
            error.args = (str(error).replace(view, str(folder)),)
        raise


Laid = tuple[dict[str, dict[str, Any]], dict[str, str]]  # files of JSON by name, and files that get another name


def _of_code(folder: Path) -> Laid:
    """The config is that of the dense model, without the words of its own."""
    check_code(folder)
    config = {key: value for key, value in config_in(folder).items() if key not in OF_CODE}
    model_type = str(config.get("model_type")).removeprefix(CODE_TYPE)
    classes = [str(name).removeprefix("Pruned") for name in config.get("architectures") or ()]
    return {"config.json": config | {"model_type": model_type, "architectures": classes}}, {}


def _of_deci(folder: Path) -> Laid:
    """The config is a Llama's, and what ``block_configs`` calls a no-op is gone from it."""
    from safetensors import SafetensorError, safe_open

    from headroom.attention.saving import OWN_WEIGHTS, PLAN, VERSION

    config = config_in(folder)
    try:
        blocks = config.pop("block_configs")
        gone = [f"{DECI_PARTS[part]}.{layer}" for layer, block in enumerate(blocks) for part in _no_ops(block)]
        with safe_open(folder / DECI_WEIGHTS, framework="pt") as weights:
            tied = "lm_head.weight" not in weights.keys()  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{folder} is no whole {DECI_CLASS}: {said(error)} Write it again.") from None
    plan = {
        "version": VERSION,
        "class": "LlamaForCausalLM",
        "attention": "sdpa",
        "policy": "heads",
        "removed": sorted(gone),
        "aliases": {"lm_head.weight": "model.embed_tokens.weight"} if tied else {},
    }
    config = {key: value for key, value in config.items() if key != "auto_map"}
    config |= {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    return {"config.json": config, PLAN: plan}, {DECI_WEIGHTS: OWN_WEIGHTS}


def _no_ops(block: dict[str, Any]) -> list[str]:
    return [part for part in DECI_PARTS if block[part]["no_op"]]
