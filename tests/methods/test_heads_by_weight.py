"""Methods that read weights and what the heads make: magnitude, Wanda, FLAP, LLM-Pruner's Taylor score."""

import copy

import numpy as np
import pytest
import torch
from methods_helpers import ToyContext, context, heads_of, kill_heads, method, order, part, plans

from headroom.api import Grain, Site
from headroom.attention import anatomy, mask, toy, toy_batch
from headroom.attention.taps import presence
from headroom.data.batches import per_example_loss

FAMILIES = ["bert", "vit", "gpt2", "m2m_100", "t5", "llama"]
SCORING = {
    "magnitude-heads": {},
    "wanda-head": {"sequential": False},
    "flap-head": {"compensate": False},
    "taylor-weight": {"scope": "global", "spare_first": 0.0, "spare_last": 0.0},
    "michel-greedy": {},
}


@pytest.mark.parametrize("name", SCORING)
@pytest.mark.parametrize("family", FAMILIES)
def test_dead_heads_go_before_the_living(family, name):
    model = toy(family)
    heads = heads_of(model)
    # one per site: wanda and the local scores take the same share of every site
    dead = {units[-1] for units in by_site(heads).values()}
    found = order(family, name, kill_heads(model, dead), **SCORING[name])
    if name == "flap-head":  # its scores are standardised per site: least within one, not always of all
        assert {next(unit for unit in found if unit.site == site) for site in by_site(heads)} == dead
    else:
        assert set(found[: len(dead)]) == dead


def by_site(units):
    found = {}
    for unit in units:
        found.setdefault(unit.site, []).append(unit)
    return found


def inputs_of(ctx, site, gone=()):
    """What enters the output projection at the real tokens of the calibration batches, (tokens, heads x size)."""
    plan, rows = anatomy(ctx.model), []
    for batch in ctx.batches:
        seen = []
        handle = plan.places[site].out.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        with mask(ctx.model, list(gone)), torch.no_grad():
            ctx.model(**batch)
        handle.remove()
        real = presence(plan, batch, site.stack)
        flat = seen[0].reshape(-1, seen[0].shape[-1])
        rows.append(flat if real is None else flat[real.reshape(-1).bool()])
    return torch.cat(rows).double().numpy()


def out_weight(ctx, site):
    """(width, heads x size)."""
    weight = anatomy(ctx.model).places[site].out.weight.detach().double().numpy()
    return weight.T if ctx.info.family == "gpt2" else weight


def scores_of(orders, site):
    return [unit.index for unit in orders if unit.site == site]


# --- magnitude


@pytest.mark.parametrize("scope", ["global", "site"])
def test_magnitude_is_the_sum_of_column_norms(scope):
    _, ctx = context("bert", "magnitude-heads")
    found = order("bert", "magnitude-heads", scope=scope)
    values = {}
    for site, units in ctx.units.sites.items():
        norms = np.linalg.norm(out_weight(ctx, site), axis=0).reshape(len(units), -1).sum(1)
        values |= {unit: norm / np.linalg.norm(norms) for unit, norm in zip(units, norms, strict=True)}
        assert scores_of(found, site) == list(np.argsort(norms))
    if scope == "global":
        assert found == sorted(ctx.units, key=values.get)
    else:
        assert [unit.site.layer for unit in found] == [0, 1, 2] * 4, "the same share of every site"


# --- Wanda


@pytest.mark.parametrize("family", ["bert", "gpt2", "marian", "llama"])
def test_wanda_is_mean_weight_times_root_mean_square(family):
    _, ctx = context(family, "wanda-head")
    found = order(family, "wanda-head", sequential=False)
    for site, units in ctx.units.sites.items():
        x, w = inputs_of(ctx, site), out_weight(ctx, site)
        channels = np.abs(w).mean(0) * np.sqrt((x**2).mean(0))
        assert scores_of(found, site) == list(np.argsort(channels.reshape(len(units), -1).sum(1)))


def test_wanda_by_hand():
    """Two heads of two channels: weights (1, -1 | 3, 3) and (1, 1 | 0, 0), inputs of root mean square 2, 2 and 5, 5."""
    model = toy("bert", num_attention_heads=2, hidden_size=4, num_hidden_layers=1)
    found, ctx = context("bert", "wanda-head", model)
    site = Site("encoder", "self", 0)
    for unit, column in zip(ctx.units, ([1.0, -1.0, 3.0, 3.0], [1.0, 1.0, 0.0, 0.0]), strict=True):
        ctx.weights(unit)["out"].copy_(torch.tensor(column)[:, None].expand(4, 2))
    sizes = {site: torch.tensor([[2.0, 2.0], [5.0, 5.0]]).double()}
    found.sizes = lambda *_: sizes
    # head 0: 2 channels x mean 2 x 2 = 8; head 1: 2 channels x mean 0.5 x 5 = 5
    assert [unit.index for unit in found.orders(ctx, [], [site])[site]] == [1, 0]


def test_wanda_takes_the_same_share_of_every_site():
    for plan in plans("m2m_100", "wanda-head", [0.25, 0.5, 0.75]):
        assert {len(units) for units in by_site(plan.drop).values()} == {4 * plan.target}


def test_wanda_spreads_the_rest_from_the_lowest_layers():
    (plan,) = plans("bert", "wanda-head", [5 / 12])
    assert [unit.site.layer for unit in sorted(plan.drop)] == [0, 0, 1, 1, 2]


def test_sequential_wanda_scores_a_site_in_the_model_that_lost_heads_below():
    """In the order in which the sites run, each against NumPy on the masked model; and it matters here."""
    differs = False
    for family in ("gpt2", "marian"):
        _, ctx = context(family, "wanda-head")
        (plan,) = plans(family, "wanda-head", [0.5])
        (once,) = plans(family, "wanda-head", [0.5], sequential=False)
        gone = []
        running = sorted(ctx.units.sites, key=lambda s: (s.stack == "decoder", s.layer, s.kind == "cross"))
        for site in running:
            x, w = inputs_of(ctx, site, gone), out_weight(ctx, site)
            heads = (np.abs(w).mean(0) * np.sqrt((x**2).mean(0))).reshape(4, -1).sum(1)
            chosen = {unit for unit in plan.drop if unit.site == site}
            assert {unit.index for unit in chosen} == set(np.argsort(heads)[:2].tolist()), site
            gone += chosen
        differs = differs or plan.drop != once.drop
    assert differs


def test_sequential_wanda_costs_nothing_where_there_is_nothing_to_choose():
    found, ctx = context("bert", "wanda-head")
    list(found.plans(ctx, [1.0]))
    assert ctx.deeds.forward == 0


def test_sequential_wanda_runs_a_model_about_twice_a_target_however_deep():
    found = method("wanda-head")
    deep = ToyContext("bert", found, toy("bert", num_hidden_layers=12))
    list(found.plans(deep, [0.25, 0.5, 0.75]))
    assert deep.deeds.forward <= 3 * 2 * 6, "not once a site and target, 3 x 12 x 6"


# --- FLAP


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "llama"])
def test_flap_is_the_standardised_square_of_variance_times_weight(family):
    fluctuation = part("flap-head", "fluctuation")

    found, ctx = context(family, "flap-head")
    score = fluctuation(ctx, found.moments(ctx))
    for site, units in ctx.units.sites.items():
        channels = (inputs_of(ctx, site).var(0, ddof=1) * (out_weight(ctx, site) ** 2).sum(0)) ** 2
        z = (channels - channels.mean()) / channels.std(ddof=1)
        assert np.allclose(score[site].numpy(), z.reshape(len(units), -1).mean(1), atol=1e-4)


def test_flap_sorts_the_heads_of_all_sites_in_one_list():
    fluctuation = part("flap-head", "fluctuation")

    found, ctx = context("bert", "flap-head", compensate=False)
    score = fluctuation(ctx, found.moments(ctx))
    value = {unit: float(score[unit.site][unit.index]) for unit in ctx.units}
    assert order("bert", "flap-head", compensate=False) == sorted(ctx.units, key=value.get)


@pytest.mark.parametrize("family", ["bert", "gpt2", "vit"])
def test_flap_keeps_the_mean_output_of_the_first_attention(family, tmp_path):
    """With the mean of the lost heads in the bias, the projection's output keeps its mean over real tokens."""
    from safetensors.torch import load_model

    (plan,) = plans(family, "flap-head", [0.5], folder=tmp_path)
    site = min(unit.site for unit in plan.drop)
    _, ctx = context(family, "flap-head")
    kept = copy.deepcopy(ctx)
    load_model(kept.model, plan.weights)
    w, b = out_weight(ctx, site), ctx.out_bias(site).double().numpy()
    dense = inputs_of(ctx, site).mean(0) @ w.T + b
    gone = [unit for unit in plan.drop if unit.site == site]
    lost = kept.out_bias(site).double().numpy() - b
    assert np.abs(lost).max() > 1e-4
    x = inputs_of(ctx, site).mean(0).reshape(4, -1)
    x[[unit.index for unit in gone]] = 0
    assert np.allclose(x.reshape(-1) @ w.T + b + lost, dense, atol=1e-6)


def test_flap_without_a_bias_says_so_and_keeps_the_weights():
    (plan,) = plans("llama", "flap-head", [0.5])
    assert plan.weights is None and plan.note == "no output bias to compensate in"


def test_flap_leaves_a_site_alike_in_all_channels_without_nan():
    model = toy("bert")
    kill_heads(model, heads_of(model))
    assert len(order("bert", "flap-head", model, compensate=False)) == 12


# --- LLM-Pruner


def salience(sums):
    """|W dL/dW| of every group of a Llama, from whole gradients cut by hand: (layers, groups)."""
    found, ctx = context("llama", "taylor-weight", sums=sums)
    model = copy.deepcopy(ctx.model)
    for batch in ctx.batches:
        per_example_loss(model, batch).sum().backward()
    values = []
    for layer in model.model.layers:
        a, rows = layer.self_attn, []
        q, k, v, o = (
            (p.weight * p.weight.grad).double().detach().numpy() for p in (a.q_proj, a.k_proj, a.v_proj, a.o_proj)
        )
        for g in range(2):
            parts = [q[g * 32 : g * 32 + 32], k[g * 8 : g * 8 + 8], v[g * 8 : g * 8 + 8], o[:, g * 32 : g * 32 + 32].T]
            rows.append(
                {
                    "weight": sum(np.abs(p).sum() for p in parts),
                    "channel": sum(np.abs(p.sum(1)).sum() for p in parts),
                    "head": abs(sum(p.sum() for p in parts)),
                }[sums]
            )
        values.append(rows)
    return found, ctx, np.array(values)


@pytest.mark.parametrize("sums", ["weight", "channel", "head"])
def test_taylor_sums_weight_times_gradient_over_coupled_rows_and_columns(sums):
    found, ctx, wanted = salience(sums)
    score = found.salience(ctx)
    for site in ctx.units.sites:
        assert np.allclose(score[site].numpy(), wanted[site.layer], rtol=1e-4)
    assert wanted.std() > 0


def test_the_released_code_adds_a_query_head_to_one_group_and_removes_it_with_another():
    """Eight query heads, two groups: head h is added to group h mod 2 and goes with group h // 4."""
    found, ctx, own = salience("weight")
    found = method("taylor-weight", queries="released")
    model = copy.deepcopy(ctx.model)
    for batch in ctx.batches:
        per_example_loss(model, batch).sum().backward()
    score = found.salience(ctx)
    for site, layer in enumerate(model.model.layers):
        q, k, v, o = (
            (p.weight * p.weight.grad).detach().abs().double()
            for p in (getattr(layer.self_attn, f"{name}_proj") for name in "qkvo")
        )
        wanted = [
            sum(float(q[h * 8 : h * 8 + 8].sum() + o[:, h * 8 : h * 8 + 8].sum()) for h in range(g, 8, 2))
            + float(k[g * 8 : g * 8 + 8].sum() + v[g * 8 : g * 8 + 8].sum())
            for g in range(2)
        ]
        assert np.allclose(score[Site("decoder", "self", site)].numpy(), wanted, rtol=1e-4)
        assert not np.allclose(wanted, own[site], rtol=1e-3)


def test_without_grouped_queries_released_and_own_are_one():
    assert order("bert", "taylor-weight", queries="released") == order("bert", "taylor-weight")


def test_the_released_queries_change_plans():
    seeds = range(4)
    plan = {
        queries: [plans("llama", "taylor-weight", [0.5], toy("llama", s), queries=queries)[0].drop for s in seeds]
        for queries in ("own", "released")
    }
    assert plan["own"] != plan["released"]


def test_taylor_takes_the_same_share_of_every_site_that_is_not_spared():
    half = plans("llama", "taylor-weight", [0.5], spare_first=0.25, spare_last=0.25)[0].drop
    assert {unit.site.layer for unit in half} == {1, 2}, "two of four layers are spared, so all of the others go"
    quarter = plans("llama", "taylor-weight", [0.25], spare_first=0.25, spare_last=0.25)[0].drop
    assert sorted(unit.site.layer for unit in quarter) == [1, 2]


def test_taylor_shares_of_spared_layers_are_those_of_the_release():
    found = method("taylor-weight")
    wide = ToyContext("llama", found, toy("llama", num_hidden_layers=32))
    spared = [site.layer for site in sorted(wide.units.sites) if found.spared(wide, site)]
    assert spared == [0, 1, 2, 3, 30, 31]


def test_spared_layers_go_last_and_by_their_scores_in_the_global_scope():
    *_, wanted = salience("weight")
    by_score = order("llama", "taylor-weight", scope="global", spare_first=0.25, spare_last=0.0)
    spared = [unit for unit in by_score if unit.site.layer == 0]
    assert by_score[-2:] == spared
    assert [unit.index for unit in spared] == list(np.argsort(wanted[0]))


def test_taylor_leaves_weights_and_gradients_as_they_were():
    found, ctx = context("gpt2", "taylor-weight")
    before = ctx.logits(toy_batch("gpt2"))
    list(found.plans(ctx, [0.5]))
    assert torch.equal(ctx.logits(toy_batch("gpt2")), before)
    assert all(parameter.grad is None for parameter in ctx.model.parameters())


def test_every_head_method_takes_kv_groups_where_queries_share_them():
    for name in SCORING:
        (plan,) = plans("qwen2", name, [0.5], **SCORING[name])
        assert {unit.grain for unit in plan.drop} == {Grain.KV_GROUP} and len(plan.drop) == 4, method(name).title
