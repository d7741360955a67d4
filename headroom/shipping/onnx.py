"""One graph of ONNX, of any batch and length. Decoders have no cache in it; encoder and decoder are one graph."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from headroom.attention.compiled import eager
from headroom.attention.families import supported_class
from headroom.attention.own import class_named
from headroom.attention.packing import dense_model
from headroom.data.batches import shifted
from headroom.data.contract import has_segments
from headroom.data.words import hushed, said, silent
from headroom.errors import UserError
from headroom.shipping import probing
from headroom.shipping.left import Left

FILE, DATA = "model.onnx", "model.onnx.data"  # weights beside the graph where one file cannot hold them
NEEDED = ("onnx", "onnxscript", "onnxruntime")
LARGEST = 2**31 - 2**20  # bytes of one file of Protocol Buffers, with some for the graph itself
INSTALL = "Run `pip install 'headroom[onnx]'`."


def why_not(left: Left) -> str:
    """Why there can be no graph; empty where it can be tried."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        return f"it takes {', '.join(NEEDED)}, and {missing[0]} is not installed. {INSTALL[:-1]}"
    dtype = next(left.model.parameters()).dtype
    if dtype != torch.float32:
        return f"onnxruntime computes float32 on a CPU, and these are {str(dtype).removeprefix('torch.')}"
    if any(stack.headless for stack in left.plan.stacks.values()):
        return "a recurrence is unrolled to the length it was traced with"
    return ""


def write(left: Left, folder: Path) -> str:
    """Trace it and write the graph, and the config beside it; why it could not be traced, empty where it could."""
    model = left.model
    inputs = given(model, 2, 12)
    sizes = {name: {0: _ANY} if name == "pixel_values" else {0: _ANY, 1: _ANY} for name in inputs}
    try:
        with eager(), hushed(), torch.no_grad():
            made: Any = torch.onnx.export(
                _Named(model, tuple(inputs)).eval(),
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=[output(model)],
                dynamic_shapes=(tuple(sizes.values()),),
                dynamo=True,
                verbose=False,
            )
            made.save(folder / FILE, external_data=_bytes(model) > LARGEST)
    except Exception as error:  # of whatever in a model cannot be traced
        return f"torch.onnx cannot trace it: {said(error)}"
    stated = left.plan.config.to_dict() | {"architectures": [supported_class(type(model))]}
    (folder / "config.json").write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
    return ""


_ANY = torch.export.Dim.DYNAMIC


def _bytes(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


class _Named(nn.Module):
    """A model that takes its inputs by position and gives its first output: what a graph has."""

    def __init__(self, model: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names
        self.more = {} if "pixel_values" in names or not hasattr(model.config, "use_cache") else {"use_cache": False}

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(**dict(zip(self.names, inputs, strict=True)), **self.more)[0]


def output(model: Any) -> str:
    """What the first output of a model is called."""
    return "last_hidden_state" if supported_class(type(model)).endswith("Model") and not _heads(model) else "logits"


def _heads(model: Any) -> bool:
    return model.get_output_embeddings() is not None  # GPT2LMHeadModel and MarianMTModel end in Model too


def given(model: Any, examples: int, length: int, padded: bool = False) -> dict[str, Tensor]:
    """Inputs of the graph in its order; ``padded``: the first example is shorter than the others."""
    inputs = probing.inputs_of(model, examples, length)
    if "attention_mask" in inputs:
        if padded:
            inputs["attention_mask"][0, length // 2 :] = 0
        if has_segments(model.config):
            inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
    return inputs


class Graph(nn.Module):
    """A graph that answers as the model that it was made of."""

    device = torch.device("cpu")

    def __init__(self, folder: Path, config: Any, named: str) -> None:
        super().__init__()
        self.config, self._session = config, session(folder)
        self._labelled = dense_model({"attention": "eager", "class": named}, config)  # no weights: it shifts labels

    def forward(self, labels: Tensor | None = None, **inputs: Tensor) -> Any:
        """Logits as ``.logits``; ``labels`` are shifted to be what an encoder-decoder's decoder is given."""
        wanted = [one.name for one in self._session.get_inputs()]
        if "decoder_input_ids" in wanted and labels is not None:
            inputs["decoder_input_ids"] = shifted(labels, self._labelled)
        for name, value in (("attention_mask", 1), ("token_type_ids", 0)):  # what a model takes for granted
            if name in wanted and name not in inputs:
                inputs[name] = torch.full_like(inputs["input_ids"], value)
        (found,) = self._session.run(None, {name: inputs[name].numpy() for name in wanted})
        return SimpleNamespace(logits=torch.from_numpy(found))


def session(folder: Path) -> Any:
    """onnxruntime's. Raises ``UserError`` where it is not installed, or cannot read the graph."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{folder / FILE}: reading ONNX takes onnxruntime, which is not installed. {INSTALL}") from None
    try:
        return onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
    except Exception as error:  # of its own kinds
        raise UserError(f"{folder / FILE} is no whole graph: {said(error)} Write it again.") from None


def read(folder: Path) -> Graph:
    """The graph of such a folder. Raises ``UserError``."""
    named = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    with silent():
        config = class_named(named).config_class.from_pretrained(folder)
    return Graph(folder, config, named)
