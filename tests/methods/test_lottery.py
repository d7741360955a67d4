"""The confidence lottery: what a round removes, what it rewinds to, and what search and ticket cost together."""

import pytest
import torch
from methods_helpers import context, method
from safetensors.torch import load_file
from training_helpers import still_toy, taught

from headroom.api import Grain
from headroom.checks.watching import hooks
from headroom.errors import UserError


def trainings(ctx):
    """What the method asks to be trained: share, and which units were silent while it was."""
    asked, trained, silenced = [], ctx.trained, ctx.silenced
    silent = [frozenset()]

    def listening(objective, share=1.0, **kwargs):
        asked.append((share, kwargs.get("from_scratch", False), silent[-1]))
        return trained(objective, share, **kwargs)

    def hushing(units):
        silent.append(frozenset(units))
        return silenced(units)

    ctx.trained, ctx.silenced = listening, hushing
    return asked


def test_each_round_trains_from_the_beginning_without_those_that_went_before(tmp_path):
    found, ctx = taught("bert", "confidence-lottery", tmp_path, rounds=3, early=0.2)
    asked = trainings(ctx)
    (plan,) = found.plans(ctx, (0.5,))
    assert [share for share, _, _ in asked] == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert all(scratch for _, scratch, _ in asked)
    gone = [silent for *_, silent in asked]
    assert [len(units) for units in gone] == [0, 2, 4, 6] and gone[0] < gone[1] < gone[2] < gone[3] == plan.drop


def test_search_and_ticket_cost_together_what_training_from_scratch_costs(tmp_path):
    found, ctx = taught("bert", "confidence-lottery", tmp_path, steps=15, rounds=3, early=0.15)
    (plan,) = found.plans(ctx, (0.5,))
    assert ctx.budget.of(plan.weights) == (30, 0), "shares that are no whole steps add up all the same"
    assert ctx.deeds.updates == 30
    (again,) = found.plans(ctx, (0.25,))
    assert ctx.budget.of(again.weights) == (30, 0), "a search for one target costs another one nothing"


def test_a_search_without_end_is_refused(tmp_path):
    found, ctx = taught("bert", "confidence-lottery", tmp_path, rounds=6, early=0.2)
    with pytest.raises(UserError, match="add up to 1 at most"):
        list(found.plans(ctx, (0.5,)))


@pytest.mark.parametrize("family", ["bert", "marian"])
def test_a_round_removes_the_least_confident_heads_of_the_model_that_it_trained(family, tmp_path):
    found, ctx = taught(family, "confidence-lottery", tmp_path, rounds=1)
    scored, method_confidence = [], found.least_confident

    def noting(ctx, gone, count):
        _, other = context(family, "attention-confidence", ctx.model, batches=ctx.batches)
        scores = method("attention-confidence").confidence(other)  # the same words, measured by the method of that name
        scored.append(frozenset(ctx.units.order(scores)[:count]))
        return method_confidence(ctx, gone, count)

    found.least_confident = noting
    (plan,) = found.plans(ctx, (0.5,))
    assert [plan.drop] == scored
    _, dense = context(family, "attention-confidence", still_toy(family), batches=ctx.batches)
    assert plan.drop != frozenset(dense.units.order(method("attention-confidence").confidence(dense))[: len(plan.drop)])


def test_the_ticket_starts_where_the_model_started(tmp_path):
    """With hardly a step of training its weights are almost the first ones, and not those of the round before."""
    found, ctx = taught("bert", "confidence-lottery", tmp_path, steps=10, rounds=1, early=0.95)
    (plan,) = found.plans(ctx, (0.5,))
    kept, first = load_file(plan.weights), ctx._lessons.fresh().state_dict()
    assert ctx.budget.of(plan.weights) == (20, 0)
    far = [float((kept[name] - first[name]).abs().max()) for name in kept]
    assert 0 < max(far) < 3e-3, "one step of a learning rate of 1e-3"


def test_heads_that_are_gone_learn_nothing(tmp_path):
    found, ctx = taught("bert", "confidence-lottery", tmp_path, rounds=1, recipe={"learning_rate": 1e-2})
    (plan,) = found.plans(ctx, (0.5,))
    kept, first = load_file(plan.weights), ctx._lessons.fresh().state_dict()
    moved = {
        unit: float(
            (kept[name] - first[name])[8 * unit.index : 8 * unit.index + 8].norm()
            / first[name][8 * unit.index : 8 * unit.index + 8].norm()
        )
        for unit in ctx.units
        for name in (f"bert.encoder.layer.{unit.site.layer}.attention.self.value.weight",)
    }
    silent, heard = [moved[unit] for unit in plan.drop], [moved[unit] for unit in ctx.units if unit not in plan.drop]
    assert max(silent) < 0.01 < min(heard), "they shrink by the decay of weights alone"


def test_named_shares_are_its_own_points_and_end_at_the_floor(tmp_path):
    found, ctx = taught("llama", "confidence-lottery", tmp_path, shares=(0.25, 0.5))
    quarter, half, floor = found.plans(ctx, (0.125, 0.75))
    assert found.natural and [plan.natural for plan in (quarter, half, floor)] == [
        "25% of heads",
        "50% of heads",
        "floor",
    ]
    assert {unit.grain for unit in half.drop} == {Grain.KV_GROUP} and len(half.drop) == len(ctx.units) / 2
    assert (floor.drop, floor.weights) == (frozenset(ctx.units), None)
    assert not method("confidence-lottery").natural


def test_the_dense_weights_come_back_and_nothing_stays_silent(tmp_path):
    found, ctx = taught("bert", "confidence-lottery", tmp_path)
    before, counted = {name: value.clone() for name, value in ctx.model.state_dict().items()}, hooks(ctx.model)
    list(found.plans(ctx, (0.5,)))
    assert all(torch.equal(value, before[name]) for name, value in ctx.model.state_dict().items())
    assert hooks(ctx.model) == counted
