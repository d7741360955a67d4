"""Each form that a pruned model can have: written, loaded again by its own loader, and held against the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from headroom import attention
from headroom.shipping import code, deci, gguf, onnx, probing, stock
from headroom.shipping.again import Loaded, load_again, run_graph, run_llama
from headroom.shipping.left import Left, left_of
from headroom.shipping.reading import opened
from headroom.shipping.shipped import Shipped

FORGETS = "it forgets the attention of a layer whose MLP is gone: --format gguf writes what it computes right"
SIZES = ((2, 12, False), (3, 9, True))  # examples, their length, and whether one is padded, of what a graph is asked


@dataclass(frozen=True)
class Making:
    """What every form is made from: the model, an empty folder, and the answers that its loader has to give."""

    model: Any
    folder: Path
    probe: Path
    tokenizer: Any = None

    @property
    def half(self) -> bool:
        return next(self.model.parameters()).element_size() < 4


def stock_form(making: Making) -> Shipped | str:
    left = left_of(making.model)
    if why := stock.why_not(left):
        return why
    made, why = stock.stock_model(left)
    if made is None:
        return why
    made.save_pretrained(making.folder)
    auto = code.auto_class(making.model) or stock.loader(left)
    loaded = load_again(making.folder, auto, making.probe)
    return _equal(Shipped("stock", f"a stock folder: transformers loads it as it is ({_says(left)})", (loaded,)))


def _says(left: Left) -> str:
    gone = [f"{left.blocks_gone} blocks fewer"] if left.blocks_gone else []
    if left.cut:
        place = left.attention[left.cut[0]]
        gone.append(f"{len(place.heads)} query and {len(place.groups)} KV heads in every layer")
    return ", ".join(gone) or "nothing is gone"


def _equal(shipped: Shipped) -> Shipped | str:
    """What was shipped, if the first that loaded it again found it equal to the bit; or how it found it."""
    first = shipped.loaded[0]
    return shipped if first.equal else f"loaded again it is not what was written ({first})"


def code_form(making: Making) -> Shipped | str:
    if why := code.why_not(making.model):
        return why
    code.write(making.model, making.folder)
    auto = str(code.auto_class(making.model))
    sentence = f"a folder with {code.FILE}: transformers.{auto} loads it with trust_remote_code=True, without Headroom"
    loaded = load_again(making.folder, auto, making.probe, trust_remote_code=True)
    found = _equal(Shipped("code", sentence, (loaded,)))
    return found if isinstance(found, str) else replace(found, loaded=(loaded, by_headroom(making)))


def headroom_form(making: Making) -> Shipped:
    making.folder.rmdir()
    attention.save_removed(making.model, making.folder)
    sentence = "a folder that Headroom alone loads, with headroom.attention.load_removed"
    return Shipped("headroom", sentence, (by_headroom(making),))


def by_headroom(making: Making) -> Loaded:
    """How Headroom itself reads what it wrote."""
    again = attention.load_removed(making.folder)
    return compared("headroom.attention.load_removed", again, making.model)


def compared(loader: str, again: Any, model: Any) -> Loaded:
    """How a model that was read again answers."""
    inputs = probing.inputs_of(model)
    first, second = (probing.said(one, inputs) for one in (again, model))
    same = torch.equal(first["words"], second["words"]) if "words" in second else None
    difference = float((first["logits"] - second["logits"]).abs().max())
    return Loaded(loader, difference, same, largest=float(second["logits"].abs().max()))


def deci_form(making: Making) -> Shipped | str:
    left = left_of(making.model)
    if why := deci.why_not(left):
        return why
    deci.write(left, making.folder)
    loaded = compared("headroom.shipping.opened", opened(making.folder), making.model)
    llama = FORGETS if any(site.kind == "mlp" for site in left.skipped) else "it is not tried here"
    others = (Loaded("vLLM", why="it is not tried here"), Loaded("llama.cpp", why=llama))
    sentence = f"a folder in the form of {deci.CLASS}, which vLLM and llama.cpp's converter read"
    return _equal(Shipped("deci", sentence, (loaded, *others)))


def gguf_form(making: Making) -> Shipped | str:
    left = left_of(making.model)
    if why := gguf.why_not(left):
        return why
    missing, kind = gguf.write(left, making.folder, making.tokenizer), gguf.architecture(left)
    loaded = [compared("headroom.shipping.opened", opened(making.folder), making.model)]
    if kind == "llama":
        how = {"gguf_file": gguf.FILE, "dtype": str(next(making.model.parameters()).dtype).removeprefix("torch.")}
        loaded.append(load_again(making.folder, "AutoModelForCausalLM", making.probe, **how))
    else:
        loaded.append(Loaded("transformers", why="it knows no architecture deci in GGUF"))
    loaded.append(run_llama(making.folder / gguf.FILE, making.probe))
    sentence = f"a folder with {gguf.FILE} (architecture {kind}), for llama.cpp and what is built on it"
    return _close(Shipped("gguf", "; ".join(filter(None, (sentence, missing))), tuple(loaded)), making)


def onnx_form(making: Making) -> Shipped | str:
    left = left_of(making.model)
    if why := onnx.why_not(left) or onnx.write(left, making.folder):
        return why
    probes = [making.probe.with_name(f"graph{number}.safetensors") for number in (1, 2)]
    for probe, (examples, length, padded) in zip(probes, SIZES, strict=True):
        probing.write(making.model, probe, onnx.given(making.model, examples, length, padded))
    loaded = run_graph(making.folder / onnx.FILE, probes)
    if loaded.difference is None:
        return f"onnxruntime cannot run it ({loaded.why})"
    sentence = f"a folder with {onnx.FILE}, a graph of any batch and length for onnxruntime{_of_graph(making.model)}"
    return _close(Shipped("onnx", sentence, (loaded,)), making)


def _of_graph(model: Any) -> str:
    if model.config.is_encoder_decoder:
        return ": one graph from input_ids, attention_mask and decoder_input_ids to logits, without cache"
    return ", without cache" if model.can_generate() else ""


def _close(shipped: Shipped, making: Making) -> Shipped | str:
    """What was shipped, if every loader that could be tried found the same model; or how one found it."""
    for one in shipped.loaded:
        if one.difference is not None and not one.close(making.half):
            return f"loaded again it is not what was written ({one})"
    return shipped


ON_DEMAND: dict[str, Callable[[Making], Shipped | str]] = {"deci": deci_form, "gguf": gguf_form, "onnx": onnx_form}
CHOSEN: dict[str, Callable[[Making], Shipped | str]] = {"stock": stock_form, "code": code_form}  # in this order
