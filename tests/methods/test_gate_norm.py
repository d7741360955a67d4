"""Gate-Norm: the norm of the product of query and key weights, head by head or of the whole layer."""

import numpy as np
import pytest
import torch
from methods_helpers import context, heads_of, order, plans, units_of

from headroom.api import Grain, Site
from headroom.attention import anatomy, remove, toy


def numpy(tensor):
    return tensor.detach().double().numpy()


def bert_layer(model, layer):
    attention = model.bert.encoder.layer[layer].attention.self
    return [numpy(part.weight).reshape(4, 8, 32) for part in (attention.query, attention.key)]


def gpt2_layer(model, layer):
    """Queries, keys and values side by side, and transposed: (width, 3 x width)."""
    packed = numpy(model.transformer.h[layer].attn.c_attn.weight).T
    return [packed[at : at + 32].reshape(4, 8, 32) for at in (0, 32)]


def llama_layer(model, layer):
    """Eight query heads of 8, two key heads: each of them belongs to four queries."""
    attention = model.model.layers[layer].self_attn
    query, key = (numpy(part.weight).reshape(-1, 8, 32) for part in (attention.q_proj, attention.k_proj))
    return [query, np.repeat(key, len(query) // len(key), axis=0)]


CUT = {"bert": bert_layer, "gpt2": gpt2_layer, "llama": llama_layer}


@pytest.mark.parametrize("product", ["head", "layer"])
@pytest.mark.parametrize("family", CUT)
def test_the_coupling_is_the_norm_of_whole_products_cut_by_hand(family, product):
    found, ctx = context(family, "gate-norm", product=product)
    for site in ctx.units.sites:
        query, key = CUT[family](ctx.model, site.layer)
        products = np.einsum("hsi,hsj->hij", query, key)  # W_Q^T W_K of every head, (width, width)
        wanted = np.linalg.norm(products.sum(0) if product == "layer" else products)
        assert float(found.coupling(ctx, site)) == pytest.approx(wanted, rel=1e-9), site


def test_the_two_products_are_two_scores():
    one, other = (context("bert", "gate-norm", product=product) for product in ("head", "layer"))
    site = next(iter(one[1].units.sites))
    assert float(one[0].coupling(one[1], site)) != pytest.approx(float(other[0].coupling(other[1], site)), rel=1e-3)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "m2m_100", "t5"])
def test_a_layer_that_attends_to_everything_alike_goes_first_and_a_sharp_one_last(family):
    model = toy(family)
    muted, *_, sharp = units_of(model, Grain.ATTENTION)
    for site, factor in ((muted.site, 0.0), (sharp.site, 10.0)):
        for head in (unit for unit in heads_of(model) if unit.site == site):
            anatomy(model).weights(head)["query"].data.mul_(factor)
    found = order(family, "gate-norm", model)
    assert (found[0], found[-1]) == (muted, sharp)


def test_what_a_layer_writes_does_not_matter():
    model = toy("bert")
    before = order("bert", "gate-norm", model)
    for unit in units_of(model, Grain.ATTENTION):
        anatomy(model).places[unit.site].out.weight.data.mul_(torch.rand(1))
    assert order("bert", "gate-norm", model) == before


def test_a_model_that_lost_heads_before_is_scored_by_those_that_are_left():
    small = toy("bert")
    remove(small, [unit for unit in heads_of(small) if unit.site.layer == 1 and unit.index < 2])
    found, ctx = context("bert", "gate-norm", small)
    site = Site("encoder", "self", 1)
    assert [unit.index for unit in ctx.heads_of(site)] == [2, 3]
    query, key = (part[2:] for part in bert_layer(toy("bert"), 1))
    wanted = np.linalg.norm(np.einsum("hsi,hsj->hij", query, key))
    assert float(found.coupling(ctx, site)) == pytest.approx(wanted, rel=1e-9)


def test_no_pass_is_run_and_plans_are_nested():
    found, ctx = context("vit", "gate-norm")
    drops = [plan.drop for plan in found.plans(ctx, [1 / 3, 2 / 3, 1.0])]
    assert ctx.deeds.forward == 0 and drops[0] < drops[1] < drops[2]
    assert {unit.grain for unit in plans("llama", "gate-norm", [1.0])[0].drop} == {Grain.ATTENTION}
