"""A folder with one modelling file of its own, for what no stock config can say.

Its config is the dense one with ``per_layer_config``, transformers' own words for uneven layers, under a model type
that no stock loader knows. The weights carry Headroom's name, so that the dense class, asked by name, finds none
either. Layers keep the numbers of the dense model: a block that has gone is one of which everything is skipped.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from headroom.api import Site, Unit
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.families import supported_class
from headroom.attention.layouts import Heads, Stack
from headroom.attention.packing import distinct
from headroom.attention.ragged import base_implementation
from headroom.attention.saving import GENERATION, OWN_WEIGHTS, PLAN, described
from headroom.models.ours import CODE_TYPE
from headroom.models.ours import MODELLING as FILE
from headroom.shipping.left import weights_of

TEMPLATE = Path(__file__).with_name("pruned_model.py")
BEGIN, END = "# --- the model ---\n", "# --- what is done to it ---\n"
WORDS = {"self": "attention", "mlp": "mlp"}  # of per_layer_config's skip
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
    if len(plan.stacks) > 1:
        return "per_layer_config counts the layers of one stack, and this model has an encoder and a decoder"
    stack = next(iter(plan.stacks.values()))
    if {sublayer.kind for sublayer in stack.sublayers} != set(WORDS):
        return "per_layer_config has no word for cross-attention"
    if not all(len(one.roles) == 1 for one in _heads_of(stack).projections):
        return f"a {plan.family} makes queries, keys and values in one map, which the modelling file does not cut yet"
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


def _heads_of(stack: Stack) -> Heads:
    return next(sublayer.heads for sublayer in stack.sublayers if sublayer.heads)


def _attention(plan: Anatomy) -> dict[Site, Any]:
    return {site: place for site, place in plan.places.items() if site.kind == "self"}


def _state(model: Any, plan: Anatomy) -> dict[str, Any]:
    """The weights under the names that they have while no block has gone."""
    (name, stack), *_ = plan.stacks.items()
    before = f"{model.base_model_prefix}." if plan.base is not model else ""
    prefix, layers = f"{before}{stack.blocks}.", plan.removal.blocks(name)

    def renamed(weight: str) -> str:
        if not weight.startswith(prefix):
            return weight
        position, _, rest = weight.removeprefix(prefix).partition(".")
        return f"{prefix}{layers[int(position)]}.{rest}"

    return {renamed(weight): value for weight, value in weights_of(model).items()}


def _without_blocks(plan: Anatomy) -> set[Unit]:
    """The units that went, with blocks as all their sublayers: here no block goes."""
    removal = plan.removal
    (stack, made), *_ = plan.stacks.items()
    gone = set(range(removal.shape.layers[stack])) - set(removal.blocks(stack))
    units = {unit for unit in removal.units if unit.site.layer not in gone}
    return units | {sublayer.unit(stack, layer) for layer in gone for sublayer in made.sublayers}


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
        "per_layer_config": layers_of(plan),
        "query_heads": None,  # a key of per_layer_config has to be there for all layers too
        "allow_global_per_layer_attribute_access": True,
    }


def model_type(plan: Anatomy) -> str:
    return f"{CODE_TYPE}{plan.config.model_type}"


def _names(name: str) -> tuple[str, str]:
    return f"Pruned{name}Config", f"Pruned{name}"


def layers_of(plan: Anatomy) -> dict[str, dict[str, Any]]:
    """``per_layer_config``: of each layer that is not whole, what is skipped and how many heads are left."""
    (stack, made), *_ = plan.stacks.items()
    found = {}
    for layer in range(plan.removal.shape.layers[stack]):
        sites = {sublayer.kind: Site(stack, sublayer.kind, layer) for sublayer in made.sublayers}
        skip = [WORDS[kind] for kind, site in sites.items() if site not in plan.places]
        heads = {} if "attention" in skip else _left_at(plan, sites["self"])
        if skip or heads:
            found[str(layer)] = heads | ({"skip": skip} if skip else {})
    return found


def _left_at(plan: Anatomy, site: Site) -> dict[str, Any]:
    place = plan.places[site]
    if len(place.heads) == plan.removal.shape.heads[site]:
        return {}
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
    return head + BEGIN + "\n".join(_words(plan, name)) + "\n" + END + tail


def _words(plan: Anatomy, name: str) -> list[str]:
    (stack,) = plan.stacks.values()
    heads = _heads_of(stack)
    by_role = {
        role: tuple(one.name for one in heads.projections if role in one.roles) for role in ("query", "key", "value")
    }
    skip = {WORDS[sublayer.kind]: dict(sublayer.skip) for sublayer in stack.sublayers}
    dense = type(plan.removal.config).__name__
    return [
        f"DenseConfig = transformers.{dense}",
        f"DenseModel = transformers.{name}",
        f"MODEL_TYPE, WEIGHTS = {model_type(plan)!r}, {OWN_WEIGHTS!r}",
        f"BLOCKS = {stack.blocks!r}",
        f"HOME, OUT = {heads.home!r}, {heads.out!r}",
        f"QUERY, KEY_VALUE = {by_role['query']!r}, {(*by_role['key'], *by_role['value'])!r}",
        f"SIZE, COUNTS, WIDTHS = {heads.size!r}, {heads.counts!r}, {heads.widths!r}",
        f"SKIP = {skip!r}",
    ]
