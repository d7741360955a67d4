"""A pruned model for transformers alone: the dense class, of which config.json's ``per_layer_config`` takes parts away.

``num_attention_heads`` and ``num_key_value_heads`` of a layer are what is left of its heads, ``query_heads`` how many
of them read each KV head where they differ, and ``skip`` names the sublayers that the stream passes by.
"""

from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

# --- the model ---
DenseConfig = transformers.LlamaConfig
DenseModel = transformers.LlamaForCausalLM

MODEL_TYPE, WEIGHTS = "headroom_llama", "headroom.safetensors"
BLOCKS = "layers"
HOME, OUT = "self_attn", "self_attn.o_proj"
QUERY, KEY_VALUE = ("q_proj",), ("k_proj", "v_proj")
SIZE, COUNTS, WIDTHS = "head_dim", (), ()
SKIP = {"attention": {"self_attn": "no attention", "input_layernorm": "identity"}}
# --- what is done to it ---


class PrunedConfig(DenseConfig):
    model_type = MODEL_TYPE
    transformers_weights = WEIGHTS  # not model.safetensors: the dense class must not find it, and fill the gaps
    allow_global_per_layer_attribute_access = True  # what is built first is dense


class PrunedModel(DenseModel):
    config_class = PrunedConfig

    def __init__(self, config, *args, **kwargs):
        with dense(config):
            super().__init__(config, *args, **kwargs)
        blocks = list(self.base_model.get_submodule(BLOCKS).children())
        spec = getattr(config, "_heterogeneity_spec", None)
        for layer, gone in (spec.per_layer_overrides if spec else {}).items():
            skipped, place = gone.get("skip", ()), slot(blocks[layer])
            for name in skipped:
                for path, kind in SKIP[name].items():
                    put(blocks[layer], path, stand_in(kind, place))
            if "attention" not in skipped and ("num_attention_heads" in gone or "num_key_value_heads" in gone):
                thin(self, blocks[layer], gone)

    def save_pretrained(self, save_directory, *args, **kwargs):
        super().save_pretrained(save_directory, *args, **kwargs)
        written = Path(save_directory) / "model.safetensors"
        if written.is_file():
            written.replace(written.with_name(WEIGHTS))


@contextmanager
def dense(config):
    """Without the overrides: the dense class would refuse them, or pass them by."""
    spec = config.__dict__.pop("_heterogeneity_spec", None)
    try:
        yield
    finally:
        if spec is not None:
            config.__dict__["_heterogeneity_spec"] = spec


def thin(model, block, gone):
    """Leave so many heads; with none, the output's bias is still added."""
    home, out = block.get_submodule(HOME), block.get_submodule(OUT)
    heads, size = gone.get("num_attention_heads", model.config.num_attention_heads), getattr(home, SIZE)
    if heads == 0:
        empty(block, out)
        return
    groups = gone.get("num_key_value_heads", getattr(model.config, "num_key_value_heads", heads))
    for name in (*QUERY, *KEY_VALUE):
        cut(home.get_submodule(name), 0, (heads if name in QUERY else groups) * size)
    cut(out, 1, heads * size)
    for name in COUNTS:
        setattr(home, name, heads)
    for name in WIDTHS:
        setattr(home, name, heads * size)
    if hasattr(home, "num_key_value_groups"):
        home.num_key_value_groups = heads // groups
        if reads := gone.get("query_heads"):
            uneven(model, home, reads)


def cut(linear, dim, width):
    """A linear map of this width; what is in it comes from the file."""
    shape = list(linear.weight.shape)
    shape[dim] = width
    linear.weight = nn.Parameter(linear.weight.new_empty(shape))
    linear.out_features, linear.in_features = shape
    if dim == 0 and linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias.new_empty(width))


def empty(block, out):
    if OUT.startswith(HOME + "."):
        put(block, HOME, NoAttention(slot(block), out.bias))
    else:
        put(block, OUT, OnlyBias(out.bias))
        put(block, HOME, NoAttention(slot(block), shaped=True))


def slot(block):
    return getattr(block.get_submodule(HOME), "layer_idx", None)


def put(block, path, module):
    parent, _, name = path.rpartition(".")
    setattr(block.get_submodule(parent), name, module.train(block.training))


def stand_in(kind, layer_idx):
    made = {"zero": Zero, "second": Second, "identity": nn.Identity}
    return made[kind]() if kind in made else (PassAttention if kind == "pass attention" else NoAttention)(layer_idx)


class NoAttention(nn.Module):
    """Nothing, or a bias. Its slot in the cache stays as long as the others: positions are computed from slots."""

    def __init__(self, layer_idx, bias=None, shaped=False):
        super().__init__()
        self.layer_idx, self.bias, self.shaped = layer_idx, bias, shaped

    def forward(self, hidden_states, *args, past_key_values=None, **kwargs):
        if past_key_values is not None and self.layer_idx is not None:
            zero = hidden_states.new_zeros(hidden_states.shape[0], 1, hidden_states.shape[1], 1)
            getattr(past_key_values, "self_attention_cache", past_key_values).update(zero, zero, self.layer_idx)
        return self.made(hidden_states), None

    def made(self, hidden_states):
        leading = hidden_states.shape[:-1]
        if self.bias is not None:
            return self.bias.to(hidden_states.dtype).expand(*leading, -1)
        return hidden_states.new_zeros((*leading, 1) if self.shaped else ())


class PassAttention(NoAttention):
    def made(self, hidden_states):
        return hidden_states


class OnlyBias(nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.bias = bias

    def forward(self, zeros):
        return zeros if self.bias is None else zeros + self.bias


class Zero(nn.Module):
    def forward(self, hidden_states):
        return hidden_states.new_zeros(())


class Second(nn.Module):
    def forward(self, hidden_states, stream):
        return stream


def uneven(model, home, reads):
    """KV heads that are read by different numbers of query heads."""
    if model.config._attn_implementation not in (None, "sdpa", "pruned_sdpa"):
        raise ValueError(f"this model needs attn_implementation='sdpa', not {model.config._attn_implementation!r}")
    home.query_heads, home.num_key_value_groups = tuple(reads), 1
    AttentionInterface.register("pruned_sdpa", uneven_sdpa)
    AttentionMaskInterface.register("pruned_sdpa", sdpa_mask)
    model.config._attn_implementation = "pruned_sdpa"


def uneven_sdpa(module, query, key, value, attention_mask, **kwargs):
    reads = getattr(module, "query_heads", None)
    if reads is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    device = key.device
    if query.shape[2] > 1:
        of_head = torch.tensor([group for group, count in enumerate(reads) for _ in range(count)], device=device)
        key, value = key.index_select(1, of_head), value.index_select(1, of_head)
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    # one new token: its queries move into a rectangle (KV heads, widest group), and the cache is not copied
    widest = max(reads)
    places = torch.tensor(
        [g * widest + place for g, count in enumerate(reads) for place in range(count)], device=device
    )
    batch, _, _, width = query.shape
    rectangle = query.new_zeros(batch, len(reads) * widest, width).index_copy(1, places, query.squeeze(2))
    kwargs["is_causal"] = False  # the rows are heads of one token
    rows = rectangle.unflatten(1, (len(reads), -1))
    made, _ = sdpa_attention_forward(module, rows, key, value, attention_mask, **kwargs)
    return made.transpose(1, 2).flatten(1, 2).index_select(1, places).unsqueeze(1).contiguous(), None
