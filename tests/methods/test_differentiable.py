"""Soft subsets of exactly k heads: their arithmetic, how they harden, and their plans."""

import numpy as np
import pytest
import torch
from methods_helpers import heads_of, kill_heads, method, part
from training_helpers import amplify_heads, still_toy, taught

soft_top_k, hard_top_k, gumbel, highest_stay = (
    part("differentiable-subset", name) for name in ("soft_top_k", "hard_top_k", "gumbel", "highest_stay")
)
SCORES = [0.3, -1.2, 2.0, 0.9, 0.31]


def by_numpy(scores, k, temperature):
    r, total = np.array(scores), np.zeros(len(scores))
    for _ in range(k):
        e = np.exp((r - r.max()) / temperature)
        p = e / e.sum()
        r, total = r + np.log(1 - p), total + p
    return total


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("temperature", [1000.0, 1.0, 0.3])
def test_a_soft_subset_is_the_sum_of_k_softmaxes_without_replacement(k, temperature):
    gates = soft_top_k(torch.tensor(SCORES, dtype=torch.float64), k, temperature)
    assert gates.numpy() == pytest.approx(by_numpy(SCORES, k, temperature))
    assert float(gates.sum()) == pytest.approx(k)


@pytest.mark.parametrize("k", range(6))
def test_a_cold_subset_is_the_k_highest_scores(k):
    scores = torch.tensor(SCORES, dtype=torch.float64)
    cold = soft_top_k(scores, k, 1e-8)
    assert torch.allclose(cold, hard_top_k(scores, k)) and torch.isfinite(cold).all()
    assert {int(at) for at in cold.nonzero()} == set(np.argsort(SCORES)[::-1][:k].tolist())


def test_the_gradient_of_the_straight_through_subset_is_that_of_the_scores():
    scores = torch.tensor(SCORES, requires_grad=True)
    gates = hard_top_k(scores, 2)
    assert gates.tolist() == [0, 0, 1, 1, 0]
    gates.backward(torch.arange(5.0))
    assert scores.grad.tolist() == [0, 1, 2, 3, 4]


def test_gumbel_noise_makes_the_highest_score_a_draw_in_proportion_to_exponentials():
    generator = torch.Generator().manual_seed(0)
    scores = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    draws = torch.stack([scores + gumbel(3, generator) for _ in range(20_000)]).argmax(1)
    shares = draws.bincount(minlength=3) / len(draws)
    assert shares.tolist() == pytest.approx(torch.softmax(scores, 0).tolist(), abs=0.015)


def test_the_temperature_falls_in_a_line_of_logarithms_and_stays_down():
    found = method("differentiable-subset", initial_temperature=1000.0, final_temperature=1e-5, cooldown=4)
    temperatures = found.cooling()
    assert [next(temperatures) for _ in range(6)] == pytest.approx([1e3, 1e1, 1e-1, 1e-3, 1e-5, 1e-5])


def test_of_equal_scores_the_first_units_go(tmp_path):
    _, ctx = taught("bert", "differentiable-subset", tmp_path)
    assert highest_stay(ctx, torch.zeros(12), 9) == frozenset(ctx.units.all[:3])


@pytest.mark.parametrize("family", ["bert", "marian", "llama"])
def test_every_target_is_a_training_of_its_own_and_exact(family, tmp_path):
    found, ctx = taught(family, "differentiable-subset", tmp_path)
    points = list(found.plans(ctx, (0.25, 0.5, 1.0)))
    assert [len(plan.drop) for plan in points] == [ctx.units.count(target) for target in (0.25, 0.5, 1.0)]
    assert len({plan.weights for plan in points}) == 3 and ctx.deeds.updates == 15
    assert {ctx.budget.of(plan.weights) for plan in points} == {(5, 5)}


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_dead_heads_go_before_vital_ones(family, tmp_path):
    model = still_toy(family)
    dead, vital = ([unit for unit in heads_of(model) if unit.index == which] for which in (0, 1))
    kill_heads(model, dead)
    amplify_heads(model, vital, factor=3)
    slow = {"learning_rate": 1e-4}  # of the weights: toys of this size learn to do without any head
    name = "differentiable-subset"
    found, ctx = taught(family, name, tmp_path, model, steps=60, recipe=slow, cooldown=60, share=1.0)
    for plan in found.plans(ctx, (0.25, 0.5, 0.75)):
        assert set(dead) <= plan.drop or not set(vital) & plan.drop


def test_a_target_does_not_depend_on_the_others_asked_for(tmp_path):
    def weights(*targets):
        found, ctx = taught("llama", "differentiable-subset", tmp_path)
        return {plan.target: plan.weights.name for plan in found.plans(ctx, targets)}

    assert weights(0.25, 0.5)[0.5] == weights(0.5)[0.5]


@pytest.mark.parametrize(("cooldown", "told"), [(100, 1), (3, 0)])
def test_a_training_that_ends_warm_says_so(cooldown, told, tmp_path):
    found, ctx = taught("bert", "differentiable-subset", tmp_path, cooldown=cooldown)
    list(found.plans(ctx, (0.5,)))
    assert len([line for line in ctx.said if "before the temperature was down" in line]) == told
