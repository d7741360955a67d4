"""What a folder with a model is: what is gone from it, what it costs, what can load it, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headroom.api import Grain, Site, Unit
from headroom.attention import anatomy, count, removed_units
from headroom.attention.counting import FLOAT32
from headroom.attention.own import class_named
from headroom.attention.state import Removal
from headroom.errors import UserError
from headroom.models.ours import config_in, kind_of
from headroom.shipping import gguf, notes, onnx, probing
from headroom.shipping.code import auto_class
from headroom.shipping.reading import opened

LEFT, GONE, NO_BLOCK = "■", "□", "·"
FORMS = {
    "stock": "a stock folder: transformers loads it as it is",
    "code": "a folder with a modelling file of its own: transformers loads it with trust_remote_code=True",
    "headroom": "a folder that Headroom alone loads",
    "deci": "a folder in the form of DeciLMForCausalLM, for vLLM and llama.cpp's converter; none of transformers' own",
    "gguf": "a folder with one file of GGUF, for llama.cpp and what is built on it",
    "onnx": "a folder with a graph of ONNX, which onnxruntime runs",
}


@dataclass(frozen=True)
class Costs:
    """What a model costs, counted on a short input."""

    parameters: int
    attention_parameters: int
    macs: int  # multiply-accumulates of one token, or of one image
    kv_bytes: int  # of one token in the cache, in the number format of the weights
    of: str  # "token" or "image"
    dtype: str


@dataclass(frozen=True)
class Layers:
    """One stack: a heading for each kind of sublayer, and for each layer of the dense model its marks."""

    stack: str
    kinds: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass
class Inspected:
    """What was found. ``troubles`` say why it is not whole; empty: it is."""

    folder: Path
    kind: str
    named: str  # the class
    form: str
    costs: Costs | None = None
    layers: tuple[Layers, ...] = ()
    gone: str = ""  # what is gone, in numbers
    loaders: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def inspect(folder: str | Path) -> Inspected:
    """Look at a folder: its files, and the model in it, which is loaded. No code of the folder is run.

    Raises ``UserError`` for what is no folder or holds no config.json that can be read; everything else that is wrong
    is among the ``troubles``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder. Name one that holds a model, with its config.json.")
    config, kind = config_in(folder), kind_of(folder)
    named = str((config.get("architectures") or ["no class"])[0])
    found = Inspected(folder, kind, named, FORMS[kind])
    note = _note(folder, found)
    try:
        model = opened(folder)
    except UserError as error:
        found.troubles.append(str(error))
        removal = note.removal if note else None
    else:
        removal = note.removal if note else None
        if kind != "onnx":  # a graph has no modules to look at
            found.named = type(model).__name__
            removal = removal or anatomy(model).removal
            _weigh(model, found)
        found.loaders += _loaders(model, found)
    if removal is not None:
        found.layers = layers_of(removal) if removal.units else ()
        found.gone = said_of(removal)
    return found


def _note(folder: Path, found: Inspected) -> notes.Note | None:
    try:
        note = notes.read(folder)
    except UserError as error:
        found.troubles.append(str(error))
        return None
    if note is not None:
        found.troubles += notes.changed(folder, note)
        found.loaders += [f"when it was written, {one}" for one in note.loaders]
    return note


def _weigh(model: Any, found: Inspected) -> None:
    """Count it; a model that cannot be counted is no damaged one."""
    inputs = probing.inputs_of(model)
    first = inputs[model.main_input_name]
    images = model.main_input_name == "pixel_values"
    try:
        counts = count(model, inputs)
    except UserError:
        return
    weights = next(model.parameters())
    found.costs = Costs(
        counts.parameters,
        counts.attention_parameters,
        counts.macs // (len(first) if images else first.numel()),
        (counts.kv_bytes_per_token + counts.cross_kv_bytes_per_token) * weights.element_size() // FLOAT32,
        "image" if images else "token",
        str(weights.dtype).removeprefix("torch."),
    )


def _loaders(model: Any, found: Inspected) -> list[str]:
    """By which calls it can be had."""
    if found.kind == "onnx":
        return [f"onnxruntime.InferenceSession({str(found.folder / onnx.FILE)!r})"]
    auto, name = auto_class(model), str(found.folder)
    stock = f"transformers.{auto or type(model).__name__}.from_pretrained({name!r}"
    ours, opens = f"headroom.attention.load_removed({name!r})", f"headroom.shipping.opened({name!r})"
    one_file = f"{stock}, gguf_file={gguf.FILE!r})"  # transformers' reader of GGUF has no layers that differ
    if class_named(type(model).__name__).__module__.startswith("headroom"):
        return [ours] if found.kind != "stock" else [f"headroom, as a model of its family ({name})"]
    return {
        "stock": [stock + ")"],
        "code": [stock + ", trust_remote_code=True)", ours],
        "headroom": [ours],
        "deci": [opens],
        "gguf": [f"llama-cli --model {found.folder / gguf.FILE}", *([] if removed_units(model) else [one_file]), opens],
    }[found.kind]


def said_of(removal: Removal) -> str:
    """How many units of each grain are gone, of how many; blocks and sublayers count once."""
    shape, said = removal.shape, []
    blocks = sum(count - len(removal.blocks(stack)) for stack, count in shape.layers.items())
    if blocks:
        said.append(f"{blocks} of {sum(shape.layers.values())} blocks")
    here = [site for site in shape.heads if site.layer in removal.blocks(site.stack)]
    attentions = [site for site in here if not removal.has(Unit(site, Grain.ATTENTION))]
    mlps = [unit for unit in removal.units if unit.grain is Grain.MLP and removal.has(_block(unit.site))]
    heads = sum(shape.heads[site] - len(removal.heads(site)) for site in here if site not in attentions)
    for gone, whole, name in (
        (len(attentions), len(shape.heads), "attentions"),
        (len(mlps), sum(shape.layers.values()), "MLPs"),
        (heads, sum(shape.heads.values()), "heads"),
    ):
        if gone:
            said.append(f"{gone} of {whole} {name}")
    return ", ".join(said) or "nothing that the folder speaks of"


def _block(site: Site) -> Unit:
    return Unit(Site(site.stack, "block", site.layer), Grain.BLOCK)


def layers_of(removal: Removal) -> tuple[Layers, ...]:
    """The map: a mark for each head, and one for each MLP."""
    found = []
    for stack, layers in removal.shape.layers.items():
        kinds = sorted({site.kind for site in removal.shape.heads if site.stack == stack}, reverse=True)
        rows = tuple((layer, _marks(removal, stack, layer, kinds)) for layer in range(layers))
        found.append(Layers(stack, (*kinds, "mlp"), rows))
    return tuple(found)


def _marks(removal: Removal, stack: str, layer: int, kinds: list[str]) -> tuple[str, ...]:
    marks = []
    for kind in kinds:
        site = Site(stack, kind, layer)
        left = removal.heads(site) if removal.has(Unit(site, Grain.ATTENTION)) else ()
        marks.append("".join(LEFT if head in left else GONE for head in range(removal.shape.heads.get(site, 0))))
    marks.append(LEFT if removal.has(Unit(Site(stack, "mlp", layer), Grain.MLP)) else GONE)
    if layer not in removal.blocks(stack):
        return tuple(NO_BLOCK * len(mark) for mark in marks)
    return tuple(marks)
