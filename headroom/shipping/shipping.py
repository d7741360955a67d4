"""Write a pruned model in the form that most can load, chosen from what was removed, and load it again to see."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headroom import attention
from headroom.attention.packing import check_readable, state_of
from headroom.attention.saving import GENERATION, OWN_WEIGHTS, PLAN, WEIGHTS, described
from headroom.data.words import silent
from headroom.drafts import together
from headroom.errors import UserError
from headroom.models.weights import INDEX
from headroom.shipping import code, deci, gguf, notes, onnx, probing
from headroom.shipping.forms import CHOSEN, ON_DEMAND, Making, headroom_form
from headroom.shipping.shipped import Shipped, check_format

OURS = (
    *(WEIGHTS, INDEX, OWN_WEIGHTS, PLAN, GENERATION),
    *(code.FILE, deci.WEIGHTS, deci.FILE, gguf.FILE, onnx.FILE, onnx.DATA),
)  # of one folder none of another form may stay


def ship(model: Any, folder: str | Path, format: str = "auto", tokenizer: Any = None) -> Shipped:
    """Write a model from which units were removed, or a dense one, to ``folder``: config and weights.

    ``stock``: transformers loads it as it is. ``code``: with the modelling file beside it, ``trust_remote_code=True``.
    ``headroom``: with ``attention.load_removed`` only. ``auto`` takes the first of these that can say what is left
    and that its own loader gave back equal to the bit. Code and Headroom folders load with ``load_removed`` as well.
    ``deci``, ``gguf`` and ``onnx`` are for other programs, see the files of these names; what could not be checked
    here is called unchecked. No tokenizer is written, but into a file of GGUF, which is to hold it.
    Raises ``UserError`` for an unknown format, for one that cannot say what is left or lacks a package, for a model
    that could not be read back, and for a folder that cannot be written.
    """
    check_format(format)
    folder = Path(folder)
    _check(model)
    if next(model.parameters()).device.type != "cpu":  # its own loader will read it there, and kernels differ
        model = copy.deepcopy(model).cpu()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".headroom-", dir=folder.parent) as scratch, silent():
            making = Making(model, Path(scratch) / "made", Path(scratch) / "probe.safetensors", tokenizer)
            probing.write(model, making.probe)
            shipped = _on_demand(making, format) if format in ON_DEMAND else _first(making, format)
            _finish(making, folder, shipped)
            return shipped
    except OSError as error:
        raise UserError(f"{folder} cannot be written, and is as it was: {error}") from error


def _check(model: Any) -> None:
    """Raises ``UserError`` for a model that could not be read back, before anything is made of it."""
    plan = attention.anatomy(model)
    check_readable(plan, described(plan, {}), state_of(model))


def _on_demand(making: Making, format: str) -> Shipped:
    making.folder.mkdir()
    shipped = ON_DEMAND[format](making)
    if isinstance(shipped, str):
        raise _refused(format, shipped)
    return shipped


def _refused(format: str, why: str) -> UserError:
    return UserError(f"--format {format}: {why}. Take --format auto, which chooses one that can.")


def _first(making: Making, format: str) -> Shipped:
    """The first form that holds, or the one that was asked for."""
    refused: list[str] = []
    for kind, form in CHOSEN.items():
        if format in (kind, "auto"):
            making.folder.mkdir()
            shipped = form(making)
            if isinstance(shipped, Shipped):
                return shipped.because(refused)
            if format == kind:
                raise _refused(kind, shipped)
            refused.append(f"no {kind} folder: {shipped}")
            shutil.rmtree(making.folder)
    making.folder.mkdir()
    return headroom_form(making).because(refused)


def _finish(making: Making, folder: Path, shipped: Shipped) -> None:
    """Note what is gone, and move the files to where they were asked for; others that lie there stay."""
    made = making.folder
    notes.write(making.model, made, shipped.kind, shipped.sentence, [str(one) for one in shipped.loaded])
    mode = (made / notes.NOTE).stat().st_mode
    with together(folder, OURS) as draft:
        for path in sorted(made.iterdir()):
            path.chmod(mode)  # the library lets nobody else read weights
            shutil.move(path, draft / path.name)
