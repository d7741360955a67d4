"""Minitron's heads: the mean length of what a head makes, over real tokens alone."""

import numpy as np
import pytest
import torch
from methods_helpers import context, heads_of, kill_heads, order, part, plans

from headroom.api import Grain
from headroom.attention import anatomy, toy
from headroom.attention.taps import presence

AGGREGATIONS = ["mean", "released"]


def inputs_of(ctx, site):
    """What enters the output projection, and which tokens are real, batch by batch: (batch, tokens, heads x size)."""
    plan, found = anatomy(ctx.model), []
    for batch in ctx.batches:
        seen = []
        handle = plan.places[site].out.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        with torch.no_grad():
            ctx.model(**batch)
        handle.remove()
        real = presence(plan, batch, site.stack)
        made = seen[0].double().numpy()
        found.append((made, np.ones(made.shape[:2]) if real is None else real.numpy()))
    return found


def by_hand(ctx, site, aggregation):
    units, rows = len(ctx.units.sites[site]), []
    for made, real in inputs_of(ctx, site):
        for example, kept in zip(made, real.astype(bool), strict=True):
            tokens = example[kept].reshape(kept.sum(), units, -1)
            rows.append(np.linalg.norm(tokens, axis=-1) if aggregation == "mean" else np.abs(tokens).mean(0)[None])
    if aggregation == "mean":
        return np.concatenate(rows).mean(0)
    return np.sqrt((np.concatenate(rows) ** 2).sum(-1).mean(0))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("family", ["bert", "gpt2", "m2m_100", "vit", "llama"])
def test_importance_is_taken_over_real_tokens(family, aggregation):
    found, ctx = context(family, "activation-heads", aggregation=aggregation)
    score = found.importance(ctx)
    for site in ctx.units.sites:
        assert np.allclose(score[site].numpy(), by_hand(ctx, site, aggregation), rtol=1e-4), site


def test_both_aggregations_by_hand():
    """Two examples of two tokens, one head of two channels; the last token of the second example is padding."""
    made = torch.tensor([[[[3.0, 4.0]], [[0.0, 2.0]]], [[[-6.0, 8.0]], [[0.0, 0.0]]]])
    real = torch.tensor([[True, True], [True, False]])
    total, count = part("activation-heads", "token_norms")(made, real)
    assert (total.tolist(), count) == ([5 + 2 + 10], 3)
    total, count = part("activation-heads", "example_channels")(made, real)
    assert (total.tolist(), count) == ([1.5**2 + 3**2 + 6**2 + 8**2], 2)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("family", ["bert", "t5", "llama"])
def test_silent_heads_go_before_the_others(family, aggregation):
    model = toy(family)
    silent = {unit for unit in heads_of(model) if unit.index == 1}
    for unit in silent:  # of a head without values nothing enters the output projection
        for name, weight in anatomy(model).weights(unit).items():
            weight.data.mul_(name != "value")
        place = anatomy(model).place(unit)
        for projection in place.made.projections:
            bias = getattr(place.projection(projection.name), "bias", None)
            if bias is not None:
                bias.data.zero_()
    assert set(order(family, "activation-heads", model, aggregation=aggregation)[: len(silent)]) == silent


def test_the_same_share_goes_of_every_site_or_the_smallest_of_all():
    by_site = [unit.site.layer for unit in order("bert", "activation-heads")]
    assert by_site == [0, 1, 2] * 4
    found, ctx = context("bert", "activation-heads", scope="global")
    score = {site: s / s.norm() for site, s in found.importance(ctx).items()}
    assert order("bert", "activation-heads", scope="global") == ctx.units.order(score)


def test_a_site_in_which_nothing_is_made_gives_no_nan():
    model = toy("bert")
    for unit in heads_of(model):
        if unit.site.layer == 0:
            anatomy(model).weights(unit)["value"].data.zero_()
    for layer in model.bert.encoder.layer[:1]:
        layer.attention.self.value.bias.data.zero_()
    assert {unit.site.layer for unit in order("bert", "activation-heads", model, scope="global")[:4]} == {0}


def test_it_does_not_see_what_becomes_of_an_output():
    model = toy("bert")
    before = order("bert", "activation-heads", toy("bert"), scope="global")
    last = [unit for unit in heads_of(model) if unit.site.layer == 2]  # what is above hears nothing of it
    assert order("bert", "activation-heads", kill_heads(model, last), scope="global") == before


def test_it_takes_kv_groups_where_queries_share_them():
    (plan,) = plans("qwen2", "activation-heads", [0.5])
    assert {unit.grain for unit in plan.drop} == {Grain.KV_GROUP} and len(plan.drop) == 4
