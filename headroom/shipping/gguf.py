"""One file of GGUF for llama.cpp: architecture ``llama`` where every layer is alike, else ``deci``, which counts each.

Tensor names are those of the package ``gguf``. Read again by its reader, and put together here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headroom.api import Grain, Site, Unit
from headroom.attention import remove
from headroom.attention.packing import dense_model, distinct
from headroom.attention.saving import GENERATION
from headroom.data.words import said
from headroom.errors import UserError
from headroom.shipping import gguf_words
from headroom.shipping.left import Left, weights_of

FILE = "model.gguf"  # as models.ours has it
# llama.cpp (src/models/deci.cpp) forgets the attention of a layer without MLP, so such a layer gets one that adds zero;
# so wide because rows of fewer numbers can never be quantised
IDLE = 32
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
WANTED = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}


def why_not(left: Left) -> str:
    """Why the form cannot say what is left; empty where it can."""
    config, name = left.plan.config, type(left.model).__name__
    if not _installed():
        return "it takes the package gguf, which is not installed. Run `pip install 'headroom[packages]'`"
    if name != "LlamaForCausalLM":
        return f"it is written for LlamaForCausalLM, and this is a {name}"
    for key, value in WANTED.items():
        if getattr(config, key) != value:
            return f"its readers take {key} for {value}, and here it is {getattr(config, key)}"
    if _rope(config)["rope_type"] != "default":
        return f"positions are stretched ({_rope(config)['rope_type']}), and transformers' reader passes that by"
    if Site("decoder", "self", left.plan.removal.blocks("decoder")[0]) in left.skipped:
        return "the first layer has to attend in it, and its attention is gone"
    for site, place in left.attention.items():
        if not place.heads:
            return f"no head is left in {site}, and its readers want one at least. Remove the whole attention"
        if len({place.reads.count(group) for group in place.groups}) > 1:
            return f"KV heads of {site} are read by different numbers of query heads, and it has one number for a layer"
    return "" if next(left.model.parameters()).dtype in TYPES else "its numbers are float32, float16 or bfloat16"


def architecture(left: Left) -> str:
    """``llama``, or ``deci`` where layers differ."""
    return "deci" if left.skipped or len(set(_heads(left))) > 1 else "llama"


def write(left: Left, folder: Path, tokenizer: Any = None) -> str:
    """Write the file, and the config beside it. Only for a model of which ``why_not`` is empty.

    Returns what of the tokenizer is left out, in words; empty where all of it is in.
    """
    from gguf import GGUFWriter

    logging.getLogger("gguf.gguf_writer").setLevel(logging.WARNING)  # it tells of a file that is still a draft
    writer = GGUFWriter(folder / FILE, architecture(left))
    _sizes(writer, left)
    missing = gguf_words.write(writer, tokenizer, left.plan.config.vocab_size)
    for name, values in _tensors(left):
        writer.add_tensor(name, *values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    stated = left.plan.config.to_dict() | {"architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
    (folder / GENERATION).write_text(left.model.generation_config.to_json_string(), encoding="utf-8")
    return missing


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("gguf") is not None


def _rope(config: Any) -> dict[str, Any]:
    return {"rope_type": "default"} | (config.rope_parameters or {})


def _heads(left: Left) -> list[tuple[int, int]]:
    """Query and KV heads of every layer."""
    sites = [Site("decoder", "self", layer) for layer in left.plan.removal.blocks("decoder")]
    places = [left.attention.get(site) for site in sites]
    return [(len(place.heads), len(place.groups)) if place else (0, 0) for place in places]


def _idle(left: Left) -> list[bool]:
    """Of every layer, whether its MLP is gone."""
    return [Site("decoder", "mlp", layer) in left.skipped for layer in left.plan.removal.blocks("decoder")]


def _sizes(writer: Any, left: Left) -> None:
    config, alike = left.plan.config, architecture(left) == "llama"
    heads, groups = ([int(count) for count in counts] for counts in zip(*_heads(left), strict=True))
    wide = [IDLE if idle else config.intermediate_size for idle in _idle(left)]
    size = next(iter(left.attention.values())).head_size
    writer.add_file_type({"F32": 0, "F16": 1, "BF16": 32}[_type(left)])
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(len(heads))
    writer.add_feed_forward_length(wide[0] if alike else wide)
    writer.add_head_count(heads[0] if alike else heads)
    writer.add_head_count_kv(groups[0] if alike else groups)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(_rope(config)["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _type(left: Left) -> str:
    return TYPES[next(left.model.parameters()).dtype]


def _tensors(left: Left) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Names, and what ``add_tensor`` wants of each; norms are float32, for llama.cpp adds them to nothing else."""
    heads = _heads(left)
    names = _names(left.model, len(heads))
    for name, value in distinct(weights_of(left.model))[0].items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            value = paired(value, heads[int(name.split(".")[2])]["k_proj" in name])
        yield names[name], _packed(value if value.dim() > 1 else value.float())
    config, dtype = left.plan.config, next(left.model.parameters()).dtype
    for layer, idle in enumerate(_idle(left)):
        if idle:
            yield f"blk.{layer}.ffn_norm.weight", _packed(torch.ones(config.hidden_size))
            for name in ("gate", "up"):
                yield f"blk.{layer}.ffn_{name}.weight", _packed(torch.zeros(IDLE, config.hidden_size, dtype=dtype))
            yield f"blk.{layer}.ffn_down.weight", _packed(torch.zeros(config.hidden_size, IDLE, dtype=dtype))


def _names(model: Any, layers: int) -> dict[str, str]:
    """The name in the file of every weight of a model."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    known = get_tensor_name_map(MODEL_ARCH.LLAMA, layers)
    found = {name: known.get_name(name, try_suffixes=(".weight",)) for name in weights_of(model)}
    if lost := [name for name, its in found.items() if its is None]:
        raise UserError(f"GGUF has no name for {lost[0]} of this {type(model).__name__}.")
    return {name: str(its) for name, its in found.items()}


def paired(weight: Tensor, heads: int) -> Tensor:
    """Rows in the order of llama.cpp, which turns neighbours by one angle, where transformers turns halves."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape)


def halved(weight: Tensor, heads: int) -> Tensor:
    """Rows in the order of transformers again."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(weight.shape)


def _packed(value: Tensor) -> tuple[Any, ...]:
    from gguf import GGMLQuantizationType

    value = value.detach().contiguous()
    if value.dtype != torch.bfloat16:
        return (value.numpy(),)
    bits = value.view(torch.int16).numpy().view(np.uint8)
    return bits, None, GGMLQuantizationType.BF16


def read(folder: Path) -> Any:
    """The model of such a folder, in eval mode, from the file alone. Raises ``UserError`` for one that is not whole."""
    try:
        from gguf import GGUFReader

        found = GGUFReader(folder / FILE)
        return _model(found)
    except ImportError:
        raise UserError(
            f"{folder / FILE}: reading GGUF takes the package gguf, which is not installed. "
            "Run `pip install 'headroom[packages]'`."
        ) from None
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder / FILE} is no whole GGUF of a Llama: {said(error)} Write it again.") from None


def _model(file: Any) -> Any:
    from gguf import dequantize
    from transformers import GenerationConfig, LlamaConfig

    prefix = f"{file.fields['general.architecture'].contents()}."
    stated = {key.removeprefix(prefix): field.contents() for key, field in file.fields.items() if prefix in key}
    layers = stated["block_count"]
    heads, groups = (_each(stated[f"attention.head_count{of}"], layers) for of in ("", "_kv"))
    tensors = {one.name: one for one in file.tensors}
    value = {name: torch.from_numpy(dequantize(one.data, one.tensor_type).copy()) for name, one in tensors.items()}
    reads = max(mine // theirs for mine, theirs in zip(heads, groups, strict=True) if theirs)
    config = LlamaConfig(
        vocab_size=stated["vocab_size"],
        hidden_size=stated["embedding_length"],
        num_hidden_layers=layers,
        intermediate_size=max(_each(stated["feed_forward_length"], layers)),
        num_attention_heads=max(groups) * reads,
        num_key_value_heads=max(groups),
        head_dim=stated["attention.key_length"],
        max_position_embeddings=stated["context_length"],
        rms_norm_eps=stated["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": stated["rope.freq_base"]},
        tie_word_embeddings="output.weight" not in value,
        architectures=["LlamaForCausalLM"],
    )
    model: Any = dense_model({"attention": "sdpa", "class": "LlamaForCausalLM"}, config)
    for layer in range(layers):
        idle = not value[f"blk.{layer}.ffn_down.weight"].any()
        remove(model, list(_gone(layer, heads[layer], groups[layer], max(groups), reads, idle)))
    dtype = getattr(torch, {0: "float32", 1: "float16", 32: "bfloat16"}[file.fields["general.file_type"].contents()])
    state = {}
    for name, its in _names(model, layers).items():
        if its not in value and name == "lm_head.weight":
            its = "token_embd.weight"
        state[name] = value[its].to(dtype)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            state[name] = halved(state[name], (groups if "k_proj" in name else heads)[int(name.split(".")[2])])
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.generation_config = GenerationConfig()
    return model.eval()


def _each(stated: Any, layers: int) -> list[int]:
    return list(stated) if isinstance(stated, list) else [stated] * layers


def _gone(layer: int, heads: int, groups: int, most: int, reads: int, idle: bool) -> Iterator[Unit]:
    """What a layer lacks of the widest one, as units: so many heads and groups, whichever they were."""
    attention = Site("decoder", "self", layer)
    if idle:
        yield Unit(Site("decoder", "mlp", layer), Grain.MLP)
    if not heads:
        yield Unit(attention, Grain.ATTENTION)
        return
    yield from (Unit(attention, Grain.KV_GROUP, group) for group in range(groups, most))
    for group in range(groups):
        yield from (Unit(attention, Grain.HEAD, group * reads + at) for at in range(heads // groups, reads))
