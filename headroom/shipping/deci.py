"""Folders in the form of NVIDIA's pruned Llamas (DeciLM, nemotron-nas), which vLLM and llama.cpp's converter read.

``block_configs`` says of each layer whether its attention or MLP is a no-op and how many query heads share a KV head.
The limits are those of vLLM's nemotron_nas.py: the first layer attends, and MLPs are multiples of 256 wide.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from headroom.api import Site
from headroom.attention.packing import distinct
from headroom.models.ours import DECI_CLASS as CLASS
from headroom.models.ours import DECI_TYPE as MODEL_TYPE
from headroom.models.ours import DECI_WEIGHTS as WEIGHTS
from headroom.shipping.left import Left, weights_of

STEP = 256
FILE = "configuration_decilm.py"
SOURCE = '''"""A Llama whose layers may lack attention or MLP: block_configs says which."""

from types import SimpleNamespace

from transformers import LlamaConfig


class DeciLMConfig(LlamaConfig):
    model_type = "nemotron-nas"

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name != "block_configs":
            return found
        return [SimpleNamespace(**{part: SimpleNamespace(**of) for part, of in block.items()}) for block in found]
'''


def why_not(left: Left) -> str:
    """Why the form cannot say what is left; empty where it can."""
    plan, config = left.plan, left.plan.config
    if type(left.model).__name__ != "LlamaForCausalLM":
        return f"the form is for LlamaForCausalLM, and this is a {type(left.model).__name__}"
    if left.cut:
        return f"the form knows whole attentions only, and heads are gone from {left.cut[0]}"
    if Site("decoder", "self", plan.removal.blocks("decoder")[0]) in left.skipped:
        return "the first layer has to attend in it, and its attention is gone"
    if config.intermediate_size % STEP:
        return f"its MLPs are multiples of {STEP} wide, and these are {config.intermediate_size}"
    return ""


def write(left: Left, folder: Path) -> None:
    """Write config, its class and weights. Only for a model of which ``why_not`` is empty."""
    from safetensors.torch import save_file

    tensors, _ = distinct(weights_of(left.model))
    config = copy.deepcopy(left.plan.config)
    config.dtype = next(left.model.parameters()).dtype
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    stated = {
        "model_type": MODEL_TYPE,
        "architectures": [CLASS],
        "auto_map": {"AutoConfig": f"{FILE.removesuffix('.py')}.DeciLMConfig"},
        "block_configs": [_block(left, layer, heads // groups) for layer in left.plan.removal.blocks("decoder")],
    }
    (folder / "config.json").write_text(json.dumps(config.to_dict() | stated, indent=2) + "\n", encoding="utf-8")
    (folder / FILE).write_text(SOURCE, encoding="utf-8")
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    left.model.generation_config.save_pretrained(folder)


def _block(left: Left, layer: int, group: int) -> dict[str, Any]:
    config = left.plan.config
    no_attention, no_mlp = (Site("decoder", kind, layer) in left.skipped for kind in ("self", "mlp"))
    mult = 3 * config.intermediate_size / (2 * config.hidden_size)  # readers round its inverse up to the step
    return {
        "attention": {
            "n_heads_in_group": None if no_attention else group,
            "no_op": no_attention,
            "replace_with_linear": False,
        },
        "ffn": {"ffn_mult": None if no_mlp else mult, "no_op": no_mlp, "replace_with_linear": False},
    }
