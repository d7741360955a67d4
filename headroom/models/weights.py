"""The weights of a folder: whether its files are all there and readable, and whether they are a whole model.

The library fills what is missing with random numbers, and says so in a warning at most.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headroom.data.words import said
from headroom.errors import UserError, some

INDEX = "model.safetensors.index.json"  # which of several files holds which weight
ADAPTER = "adapter_config.json"
# What older versions saved, and no model computes with: buffers, and poolers of models that have none.
LEFTOVERS = (
    *(".position_ids", ".attn.bias", ".masked_bias", ".inv_freq", ".embed_positions.weights", "._float_tensor"),
    *(".pooler.dense.weight", ".pooler.dense.bias"),
)
FLOATS = ("F64", "F32", "F16", "BF16")  # safetensors' names
AGAIN = "Fetch or save it again, whole, with its own config.json."


def check_files(folder: Path) -> None:
    """Raises ``UserError`` for weights of another kind than ours, for a file that is missing, cut off or damaged."""
    from headroom.attention.saving import OWN_WEIGHTS, WEIGHTS  # imports torch, which is not there for every question

    if (folder / ADAPTER).is_file():
        raise UserError(
            f"{folder}: {ADAPTER} makes it an adapter, not a model. Merge it into its model first: "
            "`model.merge_and_unload().save_pretrained(...)`."
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} has no *.safetensors file. Headroom loads no other kind of weights.")
    if not any((folder / name).is_file() for name in (WEIGHTS, OWN_WEIGHTS)):
        files = _of_index(folder)
    for file in files:
        _check_file(file)


def _of_index(folder: Path) -> list[Path]:
    """The files that the index of a model in parts names; it is there where no file holds all of them."""
    file = folder / INDEX
    try:
        named = set(json.loads(file.read_text(encoding="utf-8"))["weight_map"].values())
    except FileNotFoundError:
        raise UserError(f"{folder} has neither model.safetensors nor {INDEX}. Fetch it again, whole.") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{file}: weight_map cannot be read: {said(error)} Fetch it again.") from None
    strange = [name for name in named if not isinstance(name, str) or Path(name).name != name]
    if strange:
        raise UserError(f"{file}: weight_map names {strange[0]!r}, which is no file of this folder. Fetch it again.")
    if gone := [name for name in named if not (folder / name).is_file()]:
        raise UserError(f"{folder} lacks {some(gone)}, which {INDEX} names. Fetch it again, whole.")
    return [folder / name for name in sorted(named)]


def _check_file(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as weights:
            kinds = {name: weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is corrupt: {said(error)} Delete it and fetch or prepare it again.") from None
    except Exception as error:  # of types that this version does not know
        raise UserError(f"{file} cannot be read: {said(error)} Fetch or save it again.") from None
    cut = [name for name, kind in kinds.items() if name.endswith(".weight") and kind not in FLOATS]
    if cut:
        raise UserError(
            f"{file}: {some(cut)} {'is' if len(cut) == 1 else 'are'} of type {kinds[cut[0]]}; heads are cut out of "
            "floating-point weights. Prune the model in full precision first, quantise after."
        )


def check_numbers(folder: Path, where: str) -> None:
    """Raises ``UserError`` for weights of a folder that are no numbers; one tensor at a time is in memory."""
    import torch
    from safetensors import safe_open

    spoilt = []
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            spoilt += [name for name in weights.keys() if not torch.isfinite(weights.get_tensor(name)).all()]  # noqa: SIM118 - no mapping
    _refuse_spoilt(spoilt, where)


def check_whole(found: dict[str, Any], purpose: str, where: str) -> None:
    """Raises ``UserError`` for weights that the library reports as missing, of another shape, or left over."""
    left = [name for name in found["unexpected_keys"] if not name.endswith(LEFTOVERS)]
    of_another = [f"{name} {tuple(here)} for {tuple(there)}" for name, here, there in found["mismatched_keys"]]
    for names, what in (
        (found["missing_keys"], f"lacks weights that its config.json says a model for {purpose} has"),
        (of_another, "has weights of another shape than its config.json says"),
        (left, "has weights that no model of its config.json has"),
    ):
        if names:
            raise UserError(f"{where}: {what}: {some(names)}. {AGAIN}")


def check_values(model: Any, where: str) -> None:
    """Raises ``UserError`` for weights that are no numbers: whatever is computed with them says nothing."""
    import torch

    _refuse_spoilt([name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()], where)


def _refuse_spoilt(names: list[str], where: str) -> None:
    if names:
        raise UserError(f"{where}: weights hold NaN or infinity: {some(names)}. Fetch or train it again.")
