"""Voita's gates: their arithmetic, how they train, and the points they become."""

import numpy as np
import pytest
import torch
from methods_helpers import heads_of, kill_heads, method, part
from safetensors.torch import load_file
from training_helpers import still_toy, taught

from headroom.api import Site

drawn, settled, chance_open = (part("voita-l0", name) for name in ("drawn", "settled", "chance_open"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# -- the equations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("u", [0.02, 0.31, 0.5, 0.77, 0.99])
@pytest.mark.parametrize("log_a", [-3.0, -0.4, 0.0, 0.612, 2.5])
def test_a_gate_is_the_stretched_and_clipped_concrete_of_the_paper(u, log_a):
    expected = np.clip(sigmoid((np.log(u) - np.log(1 - u) + log_a) / 0.33) * 1.2 - 0.1, 0, 1)
    assert float(drawn(torch.tensor(log_a), torch.tensor(u))) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("log_a", [-2.0, -0.612, 0.0, 1.0])
def test_the_chance_to_be_open_is_the_share_of_draws_that_are_not_zero(log_a):
    u = torch.rand(200_000, generator=torch.Generator().manual_seed(1))
    share = (drawn(torch.tensor(log_a), u) > 0).float().mean()
    assert float(chance_open(torch.tensor(log_a))) == pytest.approx(float(share), abs=0.005)
    assert float(chance_open(torch.tensor(log_a))) == pytest.approx(sigmoid(log_a + 0.791), abs=1e-4)


def test_the_settled_gate_has_no_temperature_and_ends_at_2_398():
    values = settled(torch.tensor([-2.4, -2.39, 0.0, 1.0, 2.39, 2.4]))
    assert values[0] == 0 < values[1] and values[4] < 1 == values[5]
    assert float(values[2]) == pytest.approx(0.5)
    assert float(values[3]) == pytest.approx(sigmoid(1.0) * 1.2 - 0.1)


def test_the_penalty_sums_over_heads_in_the_paper_and_averages_modules_in_the_code():
    log_a = {Site("encoder", "self", 0): torch.tensor([0.0, 1.0]), Site("encoder", "self", 1): torch.tensor([-1.0])}
    each = [sigmoid(x + 0.33 * np.log(11)) for x in (0.0, 1.0, -1.0)]  # -log(0.1 / 1.1) = log 11
    assert float(method("voita-l0").penalty(log_a)) == pytest.approx(sum(each), abs=1e-6)
    assert float(method("voita-l0", scale="code").penalty(log_a)) == pytest.approx(sum(each) / 2, abs=1e-6)


def test_glorot_halves_the_model_and_open_leaves_it(tmp_path):
    found, ctx = taught("bert", "voita-l0", tmp_path, init="glorot")
    start = torch.cat([found.start(ctx, 8) for _ in range(200)])
    assert start.abs().max() <= (3 / 8) ** 0.5 < 1.02 * start.abs().max()
    assert float(settled(start).mean()) == pytest.approx(0.5, abs=0.02)
    assert float(settled(method("voita-l0").start(ctx, 8)).min()) == 1


# -- the training -----------------------------------------------------------------------------------------------------


def test_one_draw_per_head_and_pass_is_shared_by_the_batch(tmp_path):
    found, ctx = taught("llama", "voita-l0", tmp_path, init="glorot", lambdas=(0.01,))
    logits, loss = [], ctx.loss

    def listening(batch):
        batch = {name: value[-1:].expand(4, -1) for name, value in batch.items()}
        logits.append(ctx.model(**batch).logits.detach())
        return loss(batch)

    ctx.loss = listening
    list(found.plans(ctx, ()))
    assert all(torch.allclose(one[0], row, atol=1e-5) for one in logits for row in one)
    ctx.rng.manual_seed(ctx.seed)
    assert not torch.allclose(logits[0][0], logits[1][0], atol=1e-3)


@pytest.mark.parametrize("family", ["bert", "marian", "llama"])
def test_a_high_price_shuts_all_gates_and_no_price_leaves_them_open(family, tmp_path):
    found, ctx = taught(family, "voita-l0", tmp_path, steps=20, lambdas=(0.0, 5.0), gate_learning_rate=0.5)
    free, dear = (plan for plan in found.plans(ctx, ()) if plan.natural.startswith("lambda"))
    assert len(free.drop) < len(ctx.units) / 2
    assert dear.drop == frozenset(ctx.units)


def test_dead_heads_go_before_those_that_matter(tmp_path):
    model = still_toy("bert")
    dead = [unit for unit in heads_of(model) if (unit.index + unit.site.layer) % 4 == 0]
    kill_heads(model, dead)
    found, ctx = taught("bert", "voita-l0", tmp_path, model, steps=100, points="topk", topk_lambda=0.005, share=1.0)
    (plan,) = found.plans(ctx, (len(dead) / len(ctx.units),))
    assert plan.drop == frozenset(dead)


ENCODER = ("encoder.self",)


def test_an_encoder_only_run_leaves_the_decoder_as_it_was(tmp_path):
    found, ctx = taught("marian", "voita-l0", tmp_path, lambdas=(5.0,), gate_learning_rate=1.0, kinds=ENCODER)
    dense = {name: value.clone() for name, value in ctx.model.state_dict().items()}
    asking = [parameter.requires_grad for parameter in ctx.model.parameters()]
    plan, _, floor = found.plans(ctx, ())
    trained = load_file(plan.weights)
    moved = {name for name, value in trained.items() if not torch.equal(value, dense[name])}
    assert moved and all(".encoder." in name for name in moved)
    assert [parameter.requires_grad for parameter in ctx.model.parameters()] == asking
    assert {unit.site.stack for unit in plan.drop | floor.drop} == {"encoder"}
    assert (floor.target, len(floor.drop)) == (1.0, 12)


@pytest.mark.parametrize("kinds", [None, (*ENCODER, "decoder.cross"), ("decoder.self",)])
def test_a_decoder_that_may_lose_heads_is_trained_with_them(kinds, tmp_path):
    found, ctx = taught("marian", "voita-l0", tmp_path, lambdas=(0.01,), kinds=kinds)
    dense = {name: value.clone() for name, value in ctx.model.state_dict().items()}
    trained = load_file(next(iter(found.plans(ctx, ()))).weights)
    assert any(".decoder." in name for name, value in trained.items() if not torch.equal(value, dense[name]))


def test_a_model_that_is_all_encoder_is_trained_as_a_whole(tmp_path):
    found, ctx = taught("bert", "voita-l0", tmp_path, lambdas=(0.01,), kinds=ENCODER)
    dense = {name: value.clone() for name, value in ctx.model.state_dict().items()}
    trained = load_file(next(iter(found.plans(ctx, ()))).weights)
    assert any("classifier" in name for name, value in trained.items() if not torch.equal(value, dense[name]))


# -- the points -------------------------------------------------------------------------------------------------------


def test_every_lambda_is_a_point_and_the_floor_ends_them(tmp_path):
    found, ctx = taught("llama", "voita-l0", tmp_path, lambdas=(0.01, 5.0))
    points = list(found.plans(ctx, (0.5,)))
    names = [plan.natural or plan.label for plan in points]
    assert names == ["lambda=0.01", "soft:lambda=0.01", "lambda=5", "soft:lambda=5", "floor"]
    assert all(plan.target == len(plan.drop) / len(ctx.units) for plan in points)
    assert all("undecided" in plan.note for plan in points[:4])
    assert [line for line in ctx.said if line.startswith("lambda=0.01:")]
    assert ctx.budget.of(points[0].weights) == ctx.budget.of(points[1].weights) == (10, 0)
    assert ctx.deeds.updates == 20


def test_the_share_of_undecided_gates_counts_those_strictly_inside(tmp_path):
    _, ctx = taught("bert", "voita-l0", tmp_path)
    site, other, third = ctx.units.sites
    log_a = {site: torch.tensor([-9.0, 9.0, 0.1, -0.1]), other: torch.full((4,), 9.0), third: torch.full((4,), -9.0)}
    hard, soft = part("voita-l0", "binarised")(ctx, log_a, tmp_path / "weights", "lambda=1")
    assert hard.note.startswith("17% of the gates were undecided")  # 2 of 12
    shut = {ctx.units.sites[site][0], *ctx.units.sites[third]}
    assert soft.drop == shut
    assert hard.drop == shut | {ctx.units.sites[site][3]}


def test_before_binarising_the_gates_are_in_the_output_columns(tmp_path):
    _, ctx = taught("bert", "voita-l0", tmp_path)
    before = {unit: ctx.weights(unit)["out"].clone() for unit in ctx.units}
    log_a = {site: torch.linspace(-1, 1, len(units)) for site, units in ctx.units.sites.items()}
    _, soft = part("voita-l0", "binarised")(ctx, log_a, tmp_path / "weights", "lambda=1")
    assert all(torch.equal(ctx.weights(unit)["out"], before[unit]) for unit in ctx.units)
    ctx.model.load_state_dict(load_file(soft.weights), strict=False)
    for site, units in ctx.units.sites.items():
        for unit, gate in zip(units, settled(log_a[site]), strict=True):
            assert torch.allclose(ctx.weights(unit)["out"], gate * before[unit])


def test_a_lambdas_point_does_not_depend_on_the_others_in_the_list(tmp_path):
    def weights(*lambdas):
        found, ctx = taught("llama", "voita-l0", tmp_path, lambdas=lambdas, init="glorot")
        return {plan.natural: plan.weights.name for plan in found.plans(ctx, ()) if plan.natural and plan.weights}

    assert weights(0.1, 0.02)["lambda=0.02"] == weights(0.02)["lambda=0.02"]


def test_exact_targets_come_from_one_training_and_are_nested(tmp_path):
    found, ctx = taught("marian", "voita-l0", tmp_path, points="topk", share=0.5)
    points = list(found.plans(ctx, (0.25, 0.5, 1.0)))
    assert not found.natural and [len(plan.drop) for plan in points] == [9, 18, 36]
    assert points[0].drop < points[1].drop < points[2].drop
    assert len({plan.weights for plan in points}) == 1 and ctx.deeds.updates == 5
    assert ctx.budget.of(points[0].weights) == (5, 5)


def test_exact_targets_are_shares_of_the_units_on_offer(tmp_path):
    found, ctx = taught("marian", "voita-l0", tmp_path, points="topk", kinds=ENCODER)
    points = list(found.plans(ctx, (0.25, 0.5, 1.0)))
    assert [len(plan.drop) for plan in points] == [3, 6, 12]
    assert {unit.site.stack for unit in points[-1].drop} == {"encoder"}


def test_the_dense_weights_come_back(tmp_path):
    found, ctx = taught("llama", "voita-l0", tmp_path, lambdas=(0.01,))
    before = {name: value.clone() for name, value in ctx.model.state_dict().items()}
    list(found.plans(ctx, ()))
    assert all(torch.equal(value, before[name]) for name, value in ctx.model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in ctx.model.modules())
