"""Finding sites and units, and what belongs to them."""

import subprocess
import sys

import pytest
import torch
from attention_helpers import GRAINS, GROUPED, PAIRS, parameters, removed

from headroom.api import Grain, Site, Unit
from headroom.attention import FAMILIES, FAMILY_NAMES, anatomy, count, toy, toy_batch
from headroom.attention.own import class_named
from headroom.errors import UnsupportedModel, UserError


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_site_of_every_family_is_found(family):
    plan = anatomy(toy(family))
    info = plan.info
    layers = 4 if family in GROUPED else 3
    heads = 8 if family in GROUPED else 4
    kinds = {"encoder": ("self",), "decoder": ("self", "cross") if family in PAIRS else ("self",)}
    if family == "marian_ssru":
        kinds["decoder"] = ("cross",)  # it looks back by a recurrence
    stacks = ("encoder", "decoder") if family in PAIRS else tuple(plan.stacks)
    wanted = {Site(stack, kind, layer) for stack in stacks for kind in kinds[stack] for layer in range(layers)}
    assert set(info.sites) == wanted and set(info.sites.values()) == {heads}
    assert set(info.groups.values()) == {2 if family in GROUPED else heads}
    assert info.family == plan.family == family
    assert (Grain.KV_GROUP in info.grains) == (family in GROUPED)
    assert len(plan.units((Grain.MLP,))) == len(plan.units((Grain.BLOCK,))) == layers * len(stacks)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_units_come_in_the_order_of_ties(family):
    units = anatomy(toy(family)).units(GRAINS)
    assert list(units) == sorted(units, key=lambda unit: unit.place)
    assert all(Unit.parse(str(unit)) == unit for unit in units)


def test_purposes_follow_from_class_names():
    wanted = {"marian": "translation", "t5": "translation", "bert": "classification", "vit": "image-classification"}
    wanted |= {"gpt2": "language", "llama": "language"}
    for family, purpose in wanted.items():
        assert anatomy(toy(family)).info.purpose == purpose
    assert anatomy(toy("llama").model).info.purpose == "none"


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_base_models_without_a_head_have_the_same_sites(family):
    model = toy(family)
    base = model.base_model
    assert anatomy(base).info.sites == anatomy(model).info.sites


def test_every_listed_class_is_known_to_transformers_or_is_ours():
    for family in FAMILIES:
        for name in family.classes:
            assert class_named(name).__name__ == name
    assert {family.name for family in FAMILIES} == set(FAMILY_NAMES)


def test_an_unknown_class_is_refused_by_name_with_what_is_supported():
    class Surprise(torch.nn.Module):
        config = None

    with pytest.raises(UnsupportedModel, match=r"Surprise.*BertForSequenceClassification.*LlamaForCausalLM"):
        anatomy(Surprise())


def test_a_subclass_of_a_listed_class_is_known():
    model = toy("bert")
    model.__class__ = type("MyBert", (type(model),), {})
    assert anatomy(model).family == "bert"


def test_a_config_with_pruned_heads_is_refused():
    model = toy("bert")
    model.config.pruned_heads = {0: [1]}
    with pytest.raises(UserError, match="pruned_heads"):
        anatomy(model)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_weights_of_the_heads_of_a_site_make_up_its_projections(family):
    model = toy(family)
    plan = anatomy(model)
    site = sorted(plan.info.sites)[1]
    heads = [unit for unit in plan.units((Grain.HEAD,)) if unit.site == site]
    parts = [plan.weights(unit) for unit in heads]
    width = plan.place(heads[0]).head_size
    assert all(set(part) == {"query", "key", "value", "out"} for part in parts)
    assert all(part["query"].shape == part["key"].shape == part["value"].shape == (width, 32) for part in parts)
    assert all(part["out"].shape == (32, width) for part in parts)
    heads_alone = sum(part["query"].numel() + part["out"].numel() for part in parts)
    groups = [plan.weights(unit) for unit in plan.units((Grain.KV_GROUP,)) if unit.site == site]
    whole = heads_alone + sum(group["key"].numel() + group["value"].numel() for group in groups)
    place = plan.place(heads[0])
    matrices = {id(p): p for module in (place.home, place.out) for p in module.parameters() if p.dim() == 2}
    tables = [p for name, p in place.home.named_parameters() if "relative" in name]
    assert whole == sum(p.numel() for p in matrices.values()) - sum(p.numel() for p in tables)


@pytest.mark.parametrize("family", ["bert", "gpt2", "gpt_neox", "llama"])
def test_the_weights_shown_are_those_that_matter_to_the_head(family):
    model = toy(family)
    plan = anatomy(model)
    unit = [unit for unit in plan.units((Grain.HEAD,)) if unit.site.layer == 1][2]
    for role in ("query", "value", "out"):
        small = removed(model, [unit])
        left = {str(u): anatomy(small).weights(u)[role] for u in anatomy(small).units((Grain.HEAD,))}
        for other in plan.units((Grain.HEAD,)):
            if other != unit:
                assert torch.equal(plan.weights(other)[role], left[str(other)])


def test_weights_of_sublayers_and_blocks_are_all_their_parameters():
    model = toy("marian")
    plan = anatomy(model)
    for unit in plan.units((Grain.ATTENTION, Grain.MLP, Grain.BLOCK)):
        assert sum(weight.numel() for weight in plan.weights(unit).values()) == plan.parameters(unit)
    names = set(plan.weights(Unit(Site("decoder", "mlp", 0), Grain.MLP)))
    assert names == {f"{part}.{kind}" for part in ("fc1", "fc2", "final_layer_norm") for kind in ("weight", "bias")}


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_counts_say_what_is_there(family):
    model, batch = toy(family), toy_batch(family)
    plan = anatomy(model)
    dense = count(model, batch)
    assert dense.parameters == parameters(model) >= dense.non_embedding_parameters > dense.attention_parameters > 0
    heads = [unit for unit in plan.units((Grain.HEAD,)) if unit.index % 2]
    small = removed(model, heads)
    fewer = count(small, batch)
    gone = dense.parameters - fewer.parameters
    assert gone == dense.attention_parameters - fewer.attention_parameters
    assert gone == dense.non_embedding_parameters - fewer.non_embedding_parameters > 0
    assert fewer.macs < dense.macs
    none = count(removed(model, plan.units((Grain.HEAD,))), batch)
    assert none.macs < fewer.macs and none.attention_parameters < fewer.attention_parameters


@pytest.mark.parametrize("family", ["bert", "llama", "gemma2"])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_macs_equal_the_closed_form_whatever_the_kernel(family, implementation):
    model, batch = toy(family), toy_batch(family)
    if family != "gemma2":
        model.set_attn_implementation(implementation)
    rows, tokens, layers, wide, kv, ff = (3, 11, 3, 32, 32, 2 * 48) if family == "bert" else (3, 11, 4, 64, 16, 3 * 48)
    per_token = layers * (2 * 32 * wide + 2 * 32 * kv + 32 * ff + 2 * tokens * wide)
    head = rows * (32 * 32 + 32 * 3) if family == "bert" else rows * tokens * 32 * 99
    assert count(model, batch).macs == pytest.approx(rows * tokens * per_token + head, rel=2e-3)


def test_importing_the_package_imports_no_modelling_file():
    wanted = "[name for name in sys.modules if 'transformers.models.' in name and 'modeling_' in name]"
    code = f"import sys, headroom.attention; print({wanted})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
