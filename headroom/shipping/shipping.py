"""Write a pruned model in the form that most can load, chosen from what was removed, and load it again to see."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from headroom import attention
from headroom.attention.packing import check_readable, state_of
from headroom.attention.saving import GENERATION, OWN_WEIGHTS, PLAN, WEIGHTS, described
from headroom.data.words import silent
from headroom.drafts import together
from headroom.errors import UserError, suggest
from headroom.models.ours import Kind
from headroom.models.weights import INDEX
from headroom.shipping import code, deci, notes, probing, stock
from headroom.shipping.again import Loaded, load_again
from headroom.shipping.left import Left, left_of
from headroom.shipping.reading import opened

FORMATS = ("auto", "stock", "code", "headroom", "deci")
OURS = (
    WEIGHTS,
    INDEX,
    OWN_WEIGHTS,
    PLAN,
    GENERATION,
    code.FILE,
    deci.WEIGHTS,
    deci.FILE,
)  # of one folder none of another form may stay


@dataclass(frozen=True)
class Shipped:
    """What was written: the kind of folder, one sentence about it, and how each loader that was tried found it."""

    kind: Kind
    sentence: str
    loaded: tuple[Loaded, ...]

    @property
    def difference(self) -> float | None:
        """The largest logit difference by its own loader; None where it is unchecked."""
        found = [one.difference for one in self.loaded if one.difference is not None]
        return max(found) if found else None


def check_format(format: str) -> None:
    """Raises ``UserError`` for a format that there is not."""
    if format not in FORMATS:
        raise UserError(f"--format is {format!r}. {suggest(format, FORMATS)}")


def ship(model: Any, folder: str | Path, format: str = "auto") -> Shipped:
    """Write a model from which units were removed, or a dense one, to ``folder``: config and weights, no tokenizer.

    ``stock``: transformers loads it as it is. ``code``: with the modelling file beside it, ``trust_remote_code=True``.
    ``headroom``: with ``attention.load_removed`` only. ``deci``: see ``deci``; read again by Headroom, its own loaders
    are not tried. ``auto`` takes the first of these that can say what is left
    and that its own loader gave back equal to the bit. Code and Headroom folders load with ``load_removed`` as well.
    Raises ``UserError`` for an unknown format, for one that cannot say what is left, for a model that could not be
    read back, and for a folder that cannot be written.
    """
    check_format(format)
    folder = Path(folder)
    _check(model)
    if next(model.parameters()).device.type != "cpu":  # its own loader will read it there, and kernels differ
        model = copy.deepcopy(model).cpu()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".headroom-", dir=folder.parent) as scratch, silent():
            probe = Path(scratch) / "probe.safetensors"
            probing.write(model, probe)
            return _first(model, folder, format, Path(scratch), probe)
    except OSError as error:
        raise UserError(f"{folder} cannot be written, and is as it was: {error}") from error


def _check(model: Any) -> None:
    """Raises ``UserError`` for a model that could not be read back, before anything is made of it."""
    plan = attention.anatomy(model)
    check_readable(plan, described(plan, {}), state_of(model))


def _first(model: Any, folder: Path, format: str, scratch: Path, probe: Path) -> Shipped:
    """The first form that holds, or the one that was asked for."""
    refused: list[str] = []
    for kind, write in (("stock", _stock), ("code", _code), ("deci", _deci)):
        if format == kind or (format == "auto" and kind != "deci"):
            shipped = write(model, scratch / kind, probe)
            if isinstance(shipped, Shipped):
                return _finish(model, scratch / kind, folder, _with_reasons(shipped, refused))
            refused.append(f"no {kind} folder: {shipped}")
            if format == kind:
                raise UserError(f"--format {kind}: {shipped}. Take --format auto, which chooses one that can.")
    made = scratch / "headroom"
    attention.save_removed(model, made)
    loaded = _by_headroom(made, model)
    sentence = "a folder that Headroom alone loads, with headroom.attention.load_removed"
    return _finish(model, made, folder, _with_reasons(Shipped("headroom", sentence, (loaded,)), refused))


def _by_headroom(folder: Path, model: Any) -> Loaded:
    """How Headroom itself reads what it wrote."""
    return _compared("headroom.attention.load_removed", attention.load_removed(folder), model)


def _compared(loader: str, again: Any, model: Any) -> Loaded:
    inputs = probing.inputs_of(model)
    first, second = (probing.said(one, inputs) for one in (again, model))
    same = torch.equal(first["words"], second["words"]) if "words" in second else None
    difference = float((first["logits"] - second["logits"]).abs().max())
    return Loaded(loader, difference, same)


def _with_reasons(shipped: Shipped, refused: Sequence[str]) -> Shipped:
    return Shipped(shipped.kind, "; ".join((shipped.sentence, *refused)), shipped.loaded)


def _stock(model: Any, folder: Path, probe: Path) -> Shipped | str:
    left = left_of(model)
    if why := stock.why_not(left):
        return why
    made, why = stock.stock_model(left)
    if made is None:
        return why
    auto = code.auto_class(model) or stock.loader(left)
    sentence = f"a stock folder: transformers loads it as it is ({_says(left)})"
    return _checked(lambda: made.save_pretrained(folder), folder, auto, probe, False, Shipped("stock", sentence, ()))


def _says(left: Left) -> str:
    gone = [f"{left.blocks_gone} blocks fewer"] if left.blocks_gone else []
    if left.cut:
        place = left.attention[left.cut[0]]
        gone.append(f"{len(place.heads)} query and {len(place.groups)} KV heads in every layer")
    return ", ".join(gone) or "nothing is gone"


def _code(model: Any, folder: Path, probe: Path) -> Shipped | str:
    if why := code.why_not(model):
        return why
    auto = str(code.auto_class(model))
    sentence = f"a folder with {code.FILE}: transformers.{auto} loads it with trust_remote_code=True, without Headroom"
    shipped = _checked(lambda: code.write(model, folder), folder, auto, probe, True, Shipped("code", sentence, ()))
    if isinstance(shipped, Shipped):
        return Shipped(shipped.kind, shipped.sentence, (*shipped.loaded, _by_headroom(folder, model)))
    return shipped


def _deci(model: Any, folder: Path, probe: Path) -> Shipped | str:
    left = left_of(model)
    if why := deci.why_not(left):
        return why
    folder.mkdir()
    deci.write(left, folder)
    loaded = _compared("headroom.shipping.opened", opened(folder), model)
    if not loaded.equal:
        return f"loaded again it is not what was written ({loaded})"
    sentence = f"a folder in the form of {deci.CLASS}, which vLLM and llama.cpp's converter read"
    others = (Loaded(name, why="it is not tried here") for name in ("vLLM", "llama.cpp"))
    return Shipped("deci", sentence, (loaded, *others))


def _checked(
    write: Callable[[], None], folder: Path, auto: str, probe: Path, trusted: bool, shipped: Shipped
) -> Shipped | str:
    """Written and loaded again; or what was wrong with it."""
    folder.mkdir()
    write()
    loaded = load_again(folder, auto, probe, trusted)
    if loaded.equal:
        return Shipped(shipped.kind, shipped.sentence, (loaded,))
    return f"loaded again it is not what was written ({loaded})"


def _finish(model: Any, made: Path, folder: Path, shipped: Shipped) -> Shipped:
    """Note what is gone, and move the files to where they were asked for; others that lie there stay."""
    notes.write(model, made, shipped.kind, shipped.sentence, [str(one) for one in shipped.loaded])
    mode = (made / notes.NOTE).stat().st_mode
    with together(folder, OURS) as draft:
        for path in sorted(made.iterdir()):
            path.chmod(mode)  # the library lets nobody else read weights
            shutil.move(path, draft / path.name)
    return shipped
