"""A pruned model for transformers alone: the dense class, from which parts are taken away as config.json says.

``per_layer_config`` says it where there is one stack, ``pruned_layers`` by stack and layer where there are two.
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
STACKS: dict = {
    "decoder": {
        "attention": {
            "attention": {
                "home": "self_attn",
                "out": "self_attn.o_proj",
                "maps": {"q_proj": (1, 0), "k_proj": (0, 1), "v_proj": (0, 1)},
                "size": "head_dim",
                "counts": (),
                "widths": (),
            }
        },
        "blocks": "layers",
        "skip": {"attention": {"self_attn": "no attention", "input_layernorm": "identity"}},
    }
}
# --- what is done to it ---
LEFT = {"attention": "num_attention_heads", "cross_attention": "cross_attention_heads"}


class PrunedConfig(DenseConfig):
    model_type = MODEL_TYPE
    transformers_weights = WEIGHTS  # not model.safetensors: the dense class must not find it, and fill the gaps
    allow_global_per_layer_attribute_access = True  # what is built first is dense


class PrunedModel(DenseModel):
    config_class = PrunedConfig

    def __init__(self, config, *args, **kwargs):
        with dense(config):
            super().__init__(config, *args, **kwargs)
        for name, layer, gone in changed(config):
            stack = STACKS[name]
            blocks = list(self.base_model.get_submodule(stack["blocks"]).children())
            block, skipped = blocks[layer], gone.get("skip", ())
            places = {kind: slot(block, made["home"]) for kind, made in stack["attention"].items()}
            for kind in skipped:
                for path, what in stack["skip"][kind].items():
                    put(block, path, stand_in(what, places.get(kind) if kind == "attention" else None))
            for kind, made in stack["attention"].items():
                if kind not in skipped and LEFT[kind] in gone:
                    thin(self, block, made, gone, kind)

    def save_pretrained(self, save_directory, *args, **kwargs):
        super().save_pretrained(save_directory, *args, **kwargs)
        written = Path(save_directory) / "model.safetensors"
        if written.is_file():
            written.replace(written.with_name(WEIGHTS))


def changed(config):
    """Stack and layer of what is not whole, and what is gone from it."""
    spec = getattr(config, "_heterogeneity_spec", None)
    for layer, gone in (spec.per_layer_overrides if spec else {}).items():
        yield next(iter(STACKS)), layer, gone
    for place, gone in (getattr(config, "pruned_layers", None) or {}).items():
        stack, _, layer = place.partition(".")
        yield stack, int(layer), gone


@contextmanager
def dense(config):
    """Without the overrides: the dense class would refuse them, or pass them by."""
    spec = config.__dict__.pop("_heterogeneity_spec", None)
    try:
        yield
    finally:
        if spec is not None:
            config.__dict__["_heterogeneity_spec"] = spec


def thin(model, block, made, gone, kind):
    """Leave so many heads; with none, the output's bias is still added."""
    home, out, heads = block.get_submodule(made["home"]), block.get_submodule(made["out"]), gone[LEFT[kind]]
    if heads == 0:
        empty(block, made, out, slot(block, made["home"]) if kind == "attention" else None)
        return
    groups = heads
    if kind == "attention":  # as many as all layers have are not said again
        groups = gone.get("num_key_value_heads", getattr(model.config, "num_key_value_heads", heads))
    size = getattr(home, made["size"])
    for name, (queries, others) in made["maps"].items():
        cut(home.get_submodule(name), True, (queries * heads + others * groups) * size)
    cut(out, False, heads * size)
    for name in made["counts"]:
        setattr(home, name, heads)
    for name in made["widths"]:
        setattr(home, name, heads * size)
    if hasattr(home, "num_key_value_groups"):
        home.num_key_value_groups = heads // groups
        if reads := gone.get("query_heads"):
            uneven(model, home, reads)


def cut(linear, outputs, width):
    """A linear map of so many outputs, or inputs; what is in it comes from the file. GPT-2's lies the other way."""
    turned = hasattr(linear, "nf")
    shape = list(linear.weight.shape)
    shape[int(outputs == turned)] = width
    linear.weight = nn.Parameter(linear.weight.new_empty(shape))
    if turned:
        linear.nx, linear.nf = shape
    else:
        linear.out_features, linear.in_features = shape
    if outputs and linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias.new_empty(width))


def empty(block, made, out, layer_idx):
    if made["out"].startswith(made["home"] + "."):
        put(block, made["home"], NoAttention(layer_idx, getattr(out, "bias", None)))
    else:
        put(block, made["out"], OnlyBias(out.bias))
        put(block, made["home"], NoAttention(layer_idx, shaped=True))


def slot(block, home):
    return getattr(block.get_submodule(home), "layer_idx", None)


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

    def forward(self, hidden_states, *args, past_key_values=None, layer_past=None, **kwargs):
        cache = layer_past if past_key_values is None else past_key_values
        if cache is not None and self.layer_idx is not None:
            zero = hidden_states.new_zeros(hidden_states.shape[0], 1, hidden_states.shape[1], 1)
            getattr(cache, "self_attention_cache", cache).update(zero, zero, self.layer_idx)
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
