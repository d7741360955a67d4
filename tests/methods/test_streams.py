"""Methods that read the residual stream: layer similarity, relative magnitude, consecutive blocks."""

from math import acos, pi, radians, sqrt

import numpy as np
import pytest
import torch
from methods_helpers import FakeStream, context, kill_sublayers, method, order, part, plans, units_of

from headroom.api import Grain, Site
from headroom.attention import mask, toy, toy_batch, watch

SITE = Site("decoder", "self", 0)
TURNED = {SITE: ([[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 2.0]])}  # one token turns by 45 degrees, one stays


def test_layer_similarity_is_one_minus_the_mean_cosine():
    score = method("layer-similarity").distance(FakeStream(TURNED))[SITE]
    assert score.item() == pytest.approx(1 - (1 / sqrt(2) + 1) / 2)


def test_without_the_residual_the_branch_alone_is_compared():
    around = {SITE: ([[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 1.0]])}  # branches (0, 1) and (0, -1)
    assert method("layer-similarity", residual=False).distance(FakeStream(around))[SITE].item() == pytest.approx(
        1 - (0 - 1) / 2
    )


def test_a_token_without_length_gives_no_nan():
    around = {SITE: ([[0.0, 0.0]], [[0.0, 0.0]])}
    for name in ("layer-similarity", "relative-magnitude"):
        found = method(name)
        score = (
            found.distance(FakeStream(around)) if name == "layer-similarity" else found.magnitude(FakeStream(around))
        )
        assert score[SITE].isfinite().all()


def test_cosines_are_accumulated_in_float32_from_half_precision():
    around = {SITE: ([[1.0, 0.0]] * 3000, [[1.0, 0.01]] * 3000)}
    fake = FakeStream(around)
    fake.seen = {site: tuple(states.bfloat16() for states in pair) for site, pair in fake.seen.items()}
    score = method("layer-similarity").distance(fake)[SITE].item()
    assert 0 < score == pytest.approx(5e-5, rel=0.02), "in bfloat16 the cosine would be exactly 1"


def test_relative_magnitude_is_the_length_of_the_branch_over_that_of_the_result():
    score = method("relative-magnitude").magnitude(FakeStream(TURNED))[SITE]
    assert score.item() == pytest.approx((1 / sqrt(2) + 0) / 2)


def test_relative_magnitude_sees_length_where_the_cosine_is_blind():
    around = {SITE: ([[1.0, 0.0]], [[4.0, 0.0]])}
    assert method("relative-magnitude").magnitude(FakeStream(around))[SITE].item() == pytest.approx(3 / 4)
    assert method("layer-similarity").distance(FakeStream(around))[SITE].item() == pytest.approx(0)


@pytest.mark.parametrize("family", ["bert", "gpt_neox", "marian", "llama", "vit"])
def test_layer_similarity_agrees_with_numpy(family):
    """Norm behind (bert, marian), side by side (gpt_neox), in front (the others)."""
    found, ctx = context(family, "layer-similarity", remove="joint")
    score, cosines = found.distance(ctx), {}
    for batch in ctx.batches:
        with watch(ctx.model) as stream, torch.no_grad():
            ctx.model(**batch)
        for site in ctx.units.sites:
            x, y = (states.double().numpy() for states in stream.around(site))
            cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
            cosines.setdefault(site, []).extend(cosine)
    for site, values in cosines.items():
        assert score[site].item() == pytest.approx(1 - np.mean(values), abs=1e-6)


@pytest.mark.parametrize("name", ["layer-similarity", "relative-magnitude"])
@pytest.mark.parametrize("grain", [Grain.ATTENTION, Grain.MLP])
@pytest.mark.parametrize("family", ["vit", "llama", "m2m_100", "t5", "gpt_neox"])
def test_sublayers_that_add_nothing_go_first(family, grain, name):
    model = toy(family)
    dead = set(units_of(model, grain)[1::2])
    kill_sublayers(model, dead)
    assert set(order(family, name, model, remove=grain.value)[: len(dead)]) == dead


def test_iterative_layer_similarity_scores_what_is_left():
    _, ctx = context("bert", "layer-similarity", iterative=True, remove="joint")
    gone = []
    for _ in range(4):
        with mask(ctx.model, gone):
            scores = method("layer-similarity", remove="joint").distance(ctx)
        left = [unit for unit in ctx.units if unit not in gone]
        gone.append(min(left, key=lambda unit: (float(scores[unit.site]), unit.place)))
    assert order("bert", "layer-similarity", iterative=True, remove="joint")[:4] == gone
    assert order("bert", "layer-similarity", remove="joint")[:4] != gone, "the toy tells the two apart"


# --- the stream in which the released code scores again


def similarities(model, ids, kind, gone, skips_the_block):
    """1 - cosine of every sublayer of a kind of a Llama that is left, by a loop over its layers on hidden states.

    Of ``gone``, (kind, layer), the sublayer is left out, or with it its whole block where ``kind`` is scored.
    """
    body, found = model.model, {}
    states = body.embed_tokens(ids)
    rotary = body.rotary_emb(states, torch.arange(ids.shape[1])[None])
    for at, layer in enumerate(body.layers):
        if skips_the_block and (kind, at) in gone:
            continue
        for name, norm in (("attention", layer.input_layernorm), ("mlp", layer.post_attention_layernorm)):
            if (name, at) in gone:
                continue
            inside = norm(states)
            if name == "attention":
                after = states + layer.self_attn(inside, position_embeddings=rotary, attention_mask=None)[0]
            else:
                after = states + layer.mlp(inside)
            if name == kind:
                found[kind, at] = 1 - torch.cosine_similarity(states, after, dim=-1).mean().item()
            states = after
    return found


@torch.no_grad()
def by_hand(model, ids, kinds, skips_the_block, steps):
    """What goes, one sublayer after the other, with all scores of every step."""
    gone, told = [], []
    for _ in range(steps):
        scores = {}
        for kind in kinds:
            scores |= similarities(model, ids, kind, gone, skips_the_block)
        told.append(scores)
        gone.append(min(scores, key=scores.get))
    return gone, told


def language(seed):
    """A Llama of six layers whose late attention counts as much as the early, and a batch without padding."""
    ids = torch.randint(2, 99, (3, 11), generator=torch.Generator().manual_seed(seed))
    model = toy("llama", seed, num_hidden_layers=6)
    with torch.no_grad():
        for at, layer in enumerate(model.model.layers):
            layer.self_attn.o_proj.weight.mul_(1.5**at)  # the stream grows on the way up
    return model, ids, [{"input_ids": ids, "labels": ids.clone()}]


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("remove", ["attention", "mlp", "joint"])
def test_scoring_again_follows_the_stream_that_is_asked_for(remove, released):
    kinds = ("attention", "mlp") if remove == "joint" else (remove,)
    for seed in range(3):
        model, ids, batches = language(seed)
        gone, told = by_hand(model, ids, kinds, released, 4)
        found, ctx = context(
            "llama", "layer-similarity", model, batches=batches, remove=remove, iterative=True, released=released
        )
        units = {(unit.grain.value, unit.site.layer): unit for unit in ctx.units}
        (plan,) = found.plans(ctx, [4 / len(ctx.units)])
        assert plan.drop == {units[one] for one in gone}
        for step, scores in enumerate(told):
            distance = found.distance_without(ctx, [units[one] for one in gone[:step]])
            for one, score in scores.items():
                assert float(distance[units[one].site]) == pytest.approx(score, abs=1e-5)


def test_skipping_the_block_changes_the_scores_above_it_and_with_them_plans():
    """Below the first that goes all is as before; above it scores come from a stream that no model has."""
    orders = {True: [], False: []}
    for seed in range(5):
        (right, told), (wrong, told_wrong) = (
            by_hand(*language(seed)[:2], ("attention",), skips, 6) for skips in (False, True)
        )
        assert right[0] == wrong[0]
        for one, score in told[1].items():
            moved = abs(score - told_wrong[1][one])
            assert moved > 1e-4 if one[1] > right[0][1] else moved == 0
        orders[False].append(right)
        orders[True].append(wrong)
    assert orders[False] != orders[True]


def test_released_says_nothing_of_scoring_once():
    for remove in ("attention", "joint"):
        assert order("llama", "layer-similarity", remove=remove, released=True) == order(
            "llama", "layer-similarity", remove=remove
        )


def test_one_shot_layer_similarity_needs_one_pass():
    found, ctx = context("llama", "layer-similarity")
    list(found.plans(ctx, [0.25, 0.5, 1.0]))
    assert ctx.deeds.forward == sum(len(batch["labels"]) for batch in ctx.batches)


# --- consecutive blocks

ANGLES = [0.0, 30.0, 50.0, 55.0, 145.0, 151.0]  # of the stream before each of five blocks and after the last


def circle(angles=ANGLES, stack="decoder"):
    points = [[float(np.cos(radians(a))), float(np.sin(radians(a)))] for a in angles]
    sites = [Site(stack, "block", layer) for layer in range(len(angles) - 1)]
    # a first token that never turns: "last" and "all" differ
    return {site: ([[1.0, 0.0], points[at]], [[1.0, 0.0], points[at + 1]]) for at, site in enumerate(sites)}


def table(**params):
    around = circle()
    (apart,) = method("gromov-window", **params).apart(FakeStream(around), [list(around)])
    return apart


def test_distances_are_angles_over_pi_on_the_last_token():
    apart = table()
    wanted = np.abs(np.subtract.outer(ANGLES, ANGLES)) / 180
    assert np.allclose(apart.numpy(), wanted, atol=1e-6)


def test_over_all_tokens_the_mean_cosine_is_taken():
    apart = table(token="all", distance="cosine")
    assert apart[0, 2].item() == pytest.approx((0 + 1 - np.cos(radians(50))) / 2)


def test_classifiers_are_read_at_their_first_token():
    around = circle()
    (apart,) = method("gromov-window").apart(FakeStream(around, "image-classification"), [list(around)])
    assert apart.abs().max() < 1e-6, "the first token never turns here"


@pytest.mark.parametrize(("n", "start"), [(1, 2), (2, 1), (3, 0), (4, 1), (5, 0)])
def test_a_run_of_n_blocks_is_judged_by_its_own_ends(n, start):
    """By hand: n = 1 turns 30 20 5 90 6; n = 2: 50 25 95 96; n = 3: 55 115 101; n = 4: 145 121."""
    run = part("gromov-window", "run")

    apart = table()
    distance, places = run(apart, n)
    assert (places.start, len(places)) == (start, n)
    assert distance == pytest.approx((ANGLES[start + n] - ANGLES[start]) / 180)


def test_the_released_off_by_one_would_choose_another_run():
    apart = table()
    assert int(apart.diagonal(4).argmin()) == 1 and int(apart.diagonal(3).argmin()) == 0


@pytest.mark.parametrize("family", ["llama", "m2m_100"])
def test_consecutive_blocks_that_add_nothing_are_the_run_that_goes(family):
    model = toy(family)
    stack = "decoder"
    dead = {Site(stack, "block", layer) for layer in (1, 2)}
    inside = [
        u for u in units_of(model, Grain.ATTENTION, Grain.MLP) if u.site.stack == stack and u.site.layer in (1, 2)
    ]
    kill_sublayers(model, inside)
    count = len(units_of(model, Grain.BLOCK))
    (plan,) = plans(family, "gromov-window", [2 / count], model)
    assert {unit.site for unit in plan.drop} == dead


@pytest.mark.parametrize("family", ["vit", "bart", "llama"])
def test_every_plan_is_one_run_per_stack_of_the_asked_size(family):
    for share in (0.25, 0.5, 0.75, 1.0):
        (plan,) = plans(family, "gromov-window", [share])
        total = len(units_of(toy(family), Grain.BLOCK))
        assert len(plan.drop) == int(share * total)
        for stack in {unit.site.stack for unit in plan.drop}:
            layers = sorted(unit.site.layer for unit in plan.drop if unit.site.stack == stack)
            assert layers == list(range(layers[0], layers[0] + len(layers)))


def test_last_token_is_the_last_real_one_of_each_example():
    found, ctx = context("marian", "gromov-window")
    one = [{name: rows[at : at + 1] for name, rows in batch.items()} for batch in ctx.batches for at in range(3)]
    ctx.batches = one
    site = [unit.site for unit in ctx.units if unit.site.stack == "decoder"]
    angles = []
    for batch in one:
        last = int((batch["labels"] != -100).sum()) - 1
        with watch(ctx.model) as stream, torch.no_grad():
            ctx.model(**batch)
        x, y = stream.around(site[0])[0][last], stream.around(site[-1])[1][last]
        angles.append(acos(torch.cosine_similarity(x.double(), y.double(), dim=0).item()) / pi)
    assert found.apart(ctx, [site])[0][0, -1].item() == pytest.approx(np.mean(angles), abs=1e-6)
    assert toy_batch("marian")["labels"][0, -1] == -100, "one example is padded"
