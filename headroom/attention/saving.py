"""Write a pruned model to a folder and read it back, equal to the bit.

No stock config can say what is gone from which layer, so the folder holds the dense config, the list of removed units,
and the weights that are left. Loading builds the dense skeleton, removes the same units and assigns the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from headroom.api import Unit
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.families import CLASS_NAMES, supported_class
from headroom.attention.own import class_named
from headroom.attention.packing import BUFFER, check_readable, dense_model, distinct, state_of
from headroom.attention.ragged import base_implementation
from headroom.attention.removal import remove
from headroom.drafts import finish, together
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PLAN, WEIGHTS, GENERATION = "headroom_plan.json", "model.safetensors", "generation_config.json"
OWN_WEIGHTS = "headroom.safetensors"  # of what something is gone from: a stock loader would fill the gaps by chance
VERSION = 1


def save_removed(model: PreTrainedModel, folder: str | Path) -> None:
    """Write ``config.json`` (dense), ``headroom_plan.json`` and the weights; also for a dense model.

    The weights are ``model.safetensors`` as long as nothing is removed, and ``headroom.safetensors`` afterwards, which
    the library's own ``from_pretrained`` does not find: it would put random numbers where units are gone. Models that
    generate also leave their ``generation_config.json``. The tokenizer is not written. All of it appears or, after an
    exception or a kill, nothing: what lay in the folder before is then as it was. Other files that lie there stay.
    Compiled models are saved as what was compiled. Raises ``UserError`` for a model that could not be read back
    (weights without values, adapters, parametrised, quantised, modules of another make) before anything is written,
    and for a folder that cannot be written.
    """
    from safetensors import SafetensorError

    folder = Path(folder)
    plan_of = anatomy(model)
    state = state_of(model)
    tensors, aliases = distinct(state)
    plan = described(plan_of, aliases)
    check_readable(plan_of, plan, state)
    try:
        with together(folder, (GENERATION, WEIGHTS, OWN_WEIGHTS)) as draft:
            _write(draft, plan_of, plan, tensors)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder} cannot be written, and is as it was: {error}") from error


def described(plan_of: Anatomy, aliases: dict[str, str], units: Iterable[Unit] | None = None) -> dict[str, Any]:
    """What ``headroom_plan.json`` says of a model; ``units`` in place of those that went, where others say the same."""
    removal = plan_of.removal
    return {
        "version": VERSION,
        "class": supported_class(type(plan_of.model)),
        "attention": base_implementation(plan_of.config._attn_implementation),
        "policy": removal.policy,
        "removed": sorted(str(unit) for unit in (removal.units if units is None else units)),
        "aliases": aliases,
    }


def _write(folder: Path, plan_of: Anatomy, plan: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save_file

    model: Any = plan_of.model
    plan_of.removal.config.save_pretrained(folder)
    (folder / PLAN).write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    if model.can_generate():
        (folder / GENERATION).write_text(model.generation_config.to_json_string(), encoding="utf-8")
    weights = folder / (OWN_WEIGHTS if plan["removed"] else WEIGHTS)
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod((folder / PLAN).stat().st_mode)  # the library lets nobody else read them


def load_removed(folder: str | Path, device: str | torch.device = "cpu", dtype: str | None = None) -> PreTrainedModel:
    """Read a model written by ``save_removed``, in eval mode, with bit-equal outputs where ``dtype`` is that it had.

    Raises ``UserError`` naming the file when one is missing, damaged, of another version or not of one piece.
    """
    from transformers import GenerationConfig

    folder = Path(folder)
    finish(folder)
    plan = _read_plan(folder / PLAN)
    older = not (folder / OWN_WEIGHTS).is_file() and (folder / WEIGHTS).is_file()  # all had the stock name once
    weights = folder / (OWN_WEIGHTS if plan["removed"] and not older else WEIGHTS)
    tensors = _read_weights(weights, torch.device(device))
    if dtype is not None:
        tensors = {name: _as_weight(name, value, getattr(torch, dtype)) for name, value in tensors.items()}
    tensors |= {alias: tensors[name] for alias, name in plan["aliases"].items() if name in tensors}
    model = _skeleton(folder, plan)
    remove(model, _units(plan, folder / PLAN), plan["policy"])
    _assign(model, tensors, weights)
    _tie(model, plan["aliases"])
    if model.can_generate() and (folder / GENERATION).is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model.eval()


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        version = plan["version"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; only folders written by save_removed can be loaded") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a plan written by save_removed: {error}") from error
    if version != VERSION:
        raise UserError(f"{path} has version {version!r}; this Headroom reads version {VERSION}")
    missing = {"class", "attention", "policy", "removed", "aliases"} - plan.keys()
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}; write it again with save_removed")
    return plan


def _units(plan: dict[str, Any], path: Path) -> list[Unit]:
    try:
        return [Unit.parse(text) for text in plan["removed"]]
    except ValueError as error:
        raise UserError(f"{path}: removed names no unit: {error}") from error


def _read_weights(path: Path, device: torch.device) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device=str(device))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; write the folder again with save_removed") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged and cannot be read ({error}); write it again with save_removed") from error


def _skeleton(folder: Path, plan: dict[str, Any]) -> PreTrainedModel:
    """The dense model with weights that take no memory; its buffers are real, for no file holds those of integers."""
    if plan["class"] not in CLASS_NAMES:  # a name from a file becomes a call: only those that we know
        near = suggest(str(plan["class"]), CLASS_NAMES)
        raise UserError(f"{folder / PLAN} names the class {plan['class']!r}, which Headroom does not prune. {near}")
    model_class = class_named(plan["class"])
    if model_class is None:
        raise UserError(f"{folder / PLAN} names {plan['class']}, which this transformers does not have")
    if not (folder / "config.json").is_file():  # the library would go on with the defaults of the class
        raise UserError(f"{folder / 'config.json'} is missing; write the folder again with save_removed")
    try:
        config = model_class.config_class.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'config.json'} cannot be read: {error}") from error
    return dense_model(plan, config)


def _as_weight(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight in another number format; buffers and whole numbers stay as they are."""
    return value.to(dtype) if value.is_floating_point() and not name.startswith(BUFFER) else value


def _assign(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    buffers = {name.removeprefix(BUFFER): value for name, value in tensors.items() if name.startswith(BUFFER)}
    state = {name: value for name, value in tensors.items() if not name.startswith(BUFFER)}
    try:
        model.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        what = " ".join(str(error).split())
        raise UserError(f"{path} does not fit {path.with_name(PLAN)}: {what[:300]}") from error
    device = next(iter(tensors.values())).device
    for name, buffer in list(model.named_buffers()):
        owner, _, attribute = name.rpartition(".")
        value = buffers.get(name, buffer.to(device))
        setattr(model.get_submodule(owner), attribute, value)


def _tie(model: nn.Module, aliases: dict[str, str]) -> None:
    """Make tied parameters one object again; they share memory already."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for alias, name in aliases.items():
        if alias in parameters and name in parameters:
            owner, _, attribute = alias.rpartition(".")
            setattr(model.get_submodule(owner), attribute, parameters[name])
