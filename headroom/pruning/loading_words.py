"""How a folder is loaded, by its kind: what its card tells people to type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headroom.data.contract import Contract
from headroom.models.ours import Kind
from headroom.pruning.markdown import fenced
from headroom.shipping.code import auto_class

LIBRARIES: dict[Kind, str] = {  # as the Hub calls them
    "stock": "transformers",
    "code": "transformers",
    "headroom": "headroom",
    "deci": "vllm",
    "gguf": "gguf",
    "onnx": "onnx",
}


def how(kind: Kind, model: Any, contract: Contract, name: str) -> Iterator[str]:
    """Markdown. ``name`` is the folder's; on the Hub the id that it was uploaded to stands there."""
    yield "The name below is the folder's; where it was uploaded to the Hub, its id stands there."
    if kind in ("stock", "code"):
        yield fenced("\n".join(_of_transformers(model, contract, name, kind == "code")), "python")
    elif kind == "headroom":
        lines = ("from headroom.attention import load_removed", "", f"model = load_removed({name!r})  # from the disk")
        yield fenced("\n".join(lines), "python")
        yield "Of the Hub: `hf download ID --local-dir FOLDER` first."
    elif kind == "deci":
        yield fenced(f"vllm serve {name} --trust-remote-code", "bash")
        yield "For llama.cpp write it with `--format gguf`: of a layer without MLP it forgets the attention else."
    elif kind == "gguf":
        yield fenced(f"llama-cli -m {name}/model.gguf", "bash")
    else:
        lines = ("import onnxruntime", "", f'session = onnxruntime.InferenceSession("{name}/model.onnx")')
        yield fenced("\n".join(lines), "python")


def _of_transformers(model: Any, contract: Contract, name: str, own_code: bool) -> Iterator[str]:
    auto = auto_class(model) or type(model).__name__
    reader, of = (
        ("tokenizer", "AutoTokenizer") if contract.tokenizer is not None else ("processor", "AutoImageProcessor")
    )
    has = contract.tokenizer is not None or contract.processor is not None
    yield f"from transformers import {', '.join(sorted({auto, *([of] if has else [])}))}"
    yield ""
    code = ", trust_remote_code=True" if own_code else ""
    yield f"model = {auto}.from_pretrained({name!r}{code})"
    if has:
        yield f"{reader} = {of}.from_pretrained({name!r})"
    if own_code:
        yield "# runs modeling_pruned.py of the folder, which is short: read it before"
