"""Folders that the library loads by itself, because its config can say all that is left: fewer blocks, or fewer heads.

A stock loader completes what its config promises and the file lacks with random numbers, so a folder is written only
when the class, built from the new config, has exactly the weights that are left, each of the same shape.
"""

from __future__ import annotations

import copy
from typing import Any

from headroom.attention.families import supported_class
from headroom.attention.own import class_named
from headroom.attention.packing import dense_model
from headroom.attention.ragged import base_implementation
from headroom.errors import some
from headroom.shipping.left import Left, weights_of

# How a config names query heads, KV heads and the width of a head, where it can name all that differ
KEYS: dict[str, dict[str, str]] = {
    family: {"heads": "num_attention_heads", "groups": "num_key_value_heads", "size": "head_dim"}
    for family in ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3")
} | {family: {"heads": "num_attention_heads", "size": "head_dim"} for family in ("vit", "deit")}


def why_not(left: Left) -> str:
    """Why no stock config can say what is left; empty where one can."""
    family = left.plan.family
    if family == "marian_ssru":
        return "transformers has no class for a decoder with a recurrence"
    if left.skipped:
        return (
            f"no stock config says that {some(map(str, left.skipped))} {_is(left.skipped)} gone while the block stays"
        )
    if family == "t5" and _deeper_decoder(left):
        return "the decoder has more blocks than the encoder, and a stock T5 caches only so many layers in generate"
    if not left.cut:
        return ""
    if len({_counts(left, site) for site in left.attention}) > 1:
        lost = some(map(str, left.cut))
        return f"heads differ from layer to layer ({lost} lost some), and a stock config has one number"
    if family not in KEYS:
        return f"the width of a {family} head follows from the number of heads, so its config cannot say fewer"
    reads = next(iter(left.attention.values())).reads
    if len({reads.count(group) for group in reads}) > 1:
        return "KV heads are read by different numbers of query heads, and a stock config has one number"
    heads, _ = _counts(left, left.cut[0])
    return "" if heads else "every head is gone, and a stock config has one at least"


def _deeper_decoder(left: Left) -> bool:
    removal = left.plan.removal
    return "decoder" in left.plan.stacks and len(removal.blocks("decoder")) > len(removal.blocks("encoder"))


def _is(sites: list[Any]) -> str:
    return "is" if len(sites) == 1 else "are"


def _counts(left: Left, site: Any) -> tuple[int, tuple[int, ...]]:
    """Query heads of a site, and how many read each of its KV heads."""
    place = left.attention[site]
    return len(place.heads), tuple(place.reads.count(group) for group in place.groups)


def config_of(left: Left) -> Any:
    """A stock config of what is left. Only for a model of which ``why_not`` is empty."""
    config = copy.deepcopy(left.plan.config)
    config._attn_implementation = base_implementation(config._attn_implementation)
    if left.plan.family == "t5":  # the shared config counts the deeper stack for the cache; a stock one the encoder
        config.num_layers = len(left.plan.removal.blocks("encoder"))
    for name, value in _heads(left).items():
        setattr(config, name, value)
    config.architectures = [supported_class(type(left.model))]
    return config


def _heads(left: Left) -> dict[str, int]:
    if not left.cut:
        return {}
    keys, place = KEYS[left.plan.family], left.attention[left.cut[0]]
    found = {"heads": len(place.heads), "groups": len(place.groups), "size": place.head_size}
    return {name: found[what] for what, name in keys.items()}


def stock_model(left: Left) -> tuple[Any, str]:
    """The library's own model with the weights that are left; or None, and why it does not have these weights."""
    config = config_of(left)
    name = supported_class(type(left.model))
    made: Any = dense_model({"attention": config._attn_implementation, "class": name}, config)
    state = weights_of(left.model)
    wanted = {name: value.shape for name, value in made.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    if strange := [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]:
        return None, f"a stock {type(made).__name__} of that config has other weights in {some(strange)}"
    made.load_state_dict(state, assign=True)
    made.tie_weights()
    if made.can_generate():
        made.generation_config = left.model.generation_config
    return made.eval(), ""


def loader(left: Left) -> str:
    """The class that loads it."""
    return class_named(supported_class(type(left.model))).__name__
