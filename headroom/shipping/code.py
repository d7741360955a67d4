"""A folder with one modelling file of its own, for what no stock config can say.

Its config is the dense one with ``per_layer_config``, transformers' own words for uneven layers, under a model type
that no stock loader knows. They count one stack and know no cross-attention; other models have ``pruned_layers``, by
stack and layer. The weights carry Headroom's name, so that the dense class, asked by name, finds none either. Layers
keep the numbers of the dense model: a block that has gone is one of which everything is skipped.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from typing import Any

from headroom.api import Site, Unit
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.families import supported_class
from headroom.attention.layouts import Heads, Stack
from headroom.attention.own import class_named
from headroom.attention.packing import distinct
from headroom.attention.ragged import base_implementation
from headroom.attention.saving import GENERATION, OWN_WEIGHTS, PLAN, described
from headroom.models.ours import CODE_TYPE
from headroom.models.ours import MODELLING as FILE
from headroom.shipping.left import weights_of

TEMPLATE = Path(__file__).with_name("pruned_model.py")
BEGIN, END = "# --- the model ---\n", "# --- what is done to it ---\n"
WORDS = {"self": "attention", "cross": "cross_attention", "mlp": "mlp"}  # the first and last are transformers' own
AUTO = {
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "MTModel": "AutoModelForSeq2SeqLM",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForImageClassification": "AutoModelForImageClassification",
    "EncoderModel": "AutoModelForTextEncoding",
    "Model": "AutoModel",
}


def why_not(model: Any) -> str:
    """Why the modelling file cannot make this model; empty where it can."""
    plan = anatomy(model)
    if plan.family == "t5":
        return "a t5 hands the position bias of its first layer on to all others, which the modelling file does not"
    for name, stack in plan.stacks.items():
        if stack.headless and len(plan.removal.blocks(name)) < plan.removal.shape.layers[name]:
            return f"blocks of the {name} are gone with {stack.headless[0][1]}, which the modelling file keeps"
    if auto_class(model) is None:
        return f"transformers has no Auto class for {supported_class(type(model))}"
    counts = [[place.reads.count(group) for group in place.groups] for place in _attention(plan).values()]
    if base_implementation(plan.config._attn_implementation) != "sdpa" and any(len(set(one)) > 1 for one in counts):
        return "the modelling file serves uneven KV groups through sdpa only"
    return ""


def write(model: Any, folder: Path) -> None:
    """Write config, modelling file, weights, and the plan for Headroom itself. Only where ``why_not`` is empty."""
    from safetensors.torch import save_file

    plan = anatomy(model)
    tensors, aliases = distinct(_state(model, plan))
    name = supported_class(type(model))
    save_file(tensors, folder / OWN_WEIGHTS, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_config(model, plan), indent=2) + "\n", encoding="utf-8")
    (folder / FILE).write_text(source(plan, name), encoding="utf-8")
    said = described(plan, aliases, _without_blocks(plan))
    (folder / PLAN).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    if model.can_generate():
        (folder / GENERATION).write_text(model.generation_config.to_json_string(), encoding="utf-8")


def auto_class(model: Any) -> str | None:
    """The Auto class by which people load a model of this class."""
    name = supported_class(type(model))
    return next((auto for ending, auto in AUTO.items() if name.endswith(ending)), None)


def one_stack(plan: Anatomy) -> bool:
    """Whether transformers' own words say it."""
    (stack, *others) = plan.stacks.values()
    return not others and {sublayer.kind for sublayer in stack.sublayers} == {"self", "mlp"}


def _attention(plan: Anatomy) -> dict[Site, Any]:
    return {site: place for site, place in plan.places.items() if place.sublayer and place.sublayer.heads}


def _state(model: Any, plan: Anatomy) -> dict[str, Any]:
    """The weights under the names that they have while no block has gone."""
    before = f"{model.base_model_prefix}." if plan.base is not model else ""
    prefixes = {f"{before}{stack.blocks}.": plan.removal.blocks(name) for name, stack in plan.stacks.items()}

    def renamed(weight: str) -> str:
        for prefix, layers in prefixes.items():
            if weight.startswith(prefix):
                position, _, rest = weight.removeprefix(prefix).partition(".")
                return f"{prefix}{layers[int(position)]}.{rest}"
        return weight

    return {renamed(weight): value for weight, value in weights_of(model).items()}


def _without_blocks(plan: Anatomy) -> set[Unit]:
    """The units that went, with blocks as all their sublayers: here no block goes."""
    removal, units = plan.removal, set(plan.removal.units)
    for stack, made in plan.stacks.items():
        gone = set(range(removal.shape.layers[stack])) - set(removal.blocks(stack))
        units = {unit for unit in units if unit.site.stack != stack or unit.site.layer not in gone}
        units |= {sublayer.unit(stack, layer) for layer in gone for sublayer in made.sublayers}
    return units


def _config(model: Any, plan: Anatomy) -> dict[str, Any]:
    config = copy.deepcopy(plan.removal.config)
    config.dtype = next(model.parameters()).dtype
    found = config.to_dict()
    module = f"{FILE.removesuffix('.py')}."
    config_name, model_name = _names(supported_class(type(model)))
    return found | {
        "model_type": model_type(plan),
        "architectures": [model_name],
        "auto_map": {"AutoConfig": module + config_name, str(auto_class(model)): module + model_name},
        **_gone(plan),
    }


def _gone(plan: Anatomy) -> dict[str, Any]:
    layers = {name: dict(_layers(plan, name)) for name in plan.stacks}
    if not one_stack(plan):
        return {"pruned_layers": {f"{name}.{layer}": gone for name in layers for layer, gone in layers[name].items()}}
    (only,) = layers.values()
    return {
        "per_layer_config": {str(layer): gone for layer, gone in only.items()},
        "query_heads": None,  # a key of per_layer_config has to be there for all layers too
        "allow_global_per_layer_attribute_access": True,
    }


def model_type(plan: Anatomy) -> str:
    return f"{CODE_TYPE}{plan.config.model_type}"


def _names(name: str) -> tuple[str, str]:
    return f"Pruned{name}Config", f"Pruned{name}"


def _layers(plan: Anatomy, stack: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of each layer that is not whole, what is skipped and how many heads are left."""
    for layer in range(plan.removal.shape.layers[stack]):
        sites = {sublayer.kind: Site(stack, sublayer.kind, layer) for sublayer in plan.stacks[stack].sublayers}
        skip = [WORDS[kind] for kind, site in sites.items() if site not in plan.places]
        found: dict[str, Any] = {}
        for site in sites.values():
            if site in plan.places:
                found |= _left_at(plan, site)
        if skip or found:
            yield layer, found | ({"skip": skip} if skip else {})


def _left_at(plan: Anatomy, site: Site) -> dict[str, Any]:
    place = plan.places[site]
    if len(place.heads) == plan.removal.shape.heads.get(site, 0):
        return {}
    if site.kind == "cross":
        return {"cross_attention_heads": len(place.heads)}
    found: dict[str, Any] = {"num_attention_heads": len(place.heads)}
    reads = [place.reads.count(group) for group in place.groups]
    if hasattr(plan.config, "num_key_value_heads"):
        found["num_key_value_heads"] = len(place.groups)
    return found | ({"query_heads": reads} if len(set(reads)) > 1 else {})


def source(plan: Anatomy, name: str) -> str:
    """The modelling file: the template with the words of this model's class."""
    head, _, rest = TEMPLATE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    config_name, model_name = _names(name)
    tail = tail.replace("PrunedConfig", config_name).replace("PrunedModel", model_name)
    return head + BEGIN + _dense(plan, name) + "\n".join(_words(plan)) + "\n" + END + tail


def _dense(plan: Anatomy, name: str) -> str:
    """Where the dense class is had from: transformers, or the text of our own file, which needs nothing else."""
    config, made = type(plan.removal.config).__name__, sys.modules[class_named(name).__module__]
    if made.__name__.startswith("transformers."):
        return f"DenseConfig = transformers.{config}\nDenseModel = transformers.{name}\n"
    _, _, text = Path(str(made.__file__)).read_text(encoding="utf-8").partition("from __future__ import annotations\n")
    return f"{text.strip()}\n\n\nDenseConfig = {config}\nDenseModel = {name}\n"


def _words(plan: Anatomy) -> list[str]:
    stacks = {name: _stack(stack) for name, stack in plan.stacks.items()}
    return [
        f"MODEL_TYPE, WEIGHTS = {model_type(plan)!r}, {OWN_WEIGHTS!r}",
        f"STACKS: dict = {pformat(stacks, width=110)}",
    ]


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "blocks": stack.blocks,
        "attention": {WORDS[one.kind]: _made(one.heads) for one in stack.sublayers if one.heads},
        "skip": {WORDS[one.kind]: dict(one.skip) for one in stack.sublayers},
    }


def _made(heads: Heads) -> dict[str, Any]:
    """How an attention is made; of each of its maps, how many rows a query head and a KV head have in head widths."""
    maps = {one.name: ("query" in one.roles, len(one.roles) - ("query" in one.roles)) for one in heads.projections}
    return {
        "home": heads.home,
        "out": heads.out,
        "maps": {name: (int(queries), others) for name, (queries, others) in maps.items()},
        "size": heads.size,
        "counts": heads.counts,
        "widths": heads.widths,
    }
