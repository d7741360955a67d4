"""SLEB: the block without which the loss is least goes, and again on what is left."""

import pytest
import torch
from methods_helpers import ToyContext, context, method, order, plans, units_of

from headroom.api import Grain
from headroom.attention import mask, toy
from headroom.data.batches import per_example_loss


def losses(ctx, gone):
    with mask(ctx.model, list(gone)), torch.no_grad():
        return sum(float(per_example_loss(ctx.model, batch).double().sum()) for batch in ctx.batches)


@pytest.mark.parametrize("family", ["bert", "vit", "gpt2", "llama", "marian", "t5"])
def test_the_loss_of_answers_is_the_task_loss(family):
    _, ctx = context(family, "greedy-loss-blocks")
    for batch in ctx.batches:
        wanted = per_example_loss(ctx.model, batch)
        assert torch.allclose(ctx.losses(batch, ctx.logits(batch)), wanted)


@pytest.mark.parametrize("remove", ["block", "joint"])
@pytest.mark.parametrize("family", ["vit", "llama", "marian"])
def test_it_agrees_with_a_search_by_whole_passes(family, remove):
    _, ctx = context(family, "greedy-loss-blocks", remove=remove)
    gone = []
    for _ in range(3):
        left = [unit for unit in ctx.units if unit not in gone]
        gone.append(min(left, key=lambda unit: losses(ctx, [*gone, unit])))
    shares = [(count + 0.5) / len(ctx.units) for count in (1, 2, 3)]
    wanted = [set(gone[:count]) for count in (1, 2, 3)]
    assert [plan.drop for plan in plans(family, "greedy-loss-blocks", shares, remove=remove)] == wanted


def test_scoring_again_matters():
    """On what is left another block is cheapest than in the dense model, in some model."""
    differs = False
    for seed in range(6):
        model = toy("llama", seed)
        _, ctx = context("llama", "greedy-loss-blocks", model)
        once = sorted(ctx.units, key=lambda unit: losses(ctx, [unit]))
        differs = differs or order("llama", "greedy-loss-blocks", model) != once
    assert differs


@pytest.mark.parametrize(("remove", "grain"), [("attention", Grain.ATTENTION), ("mlp", Grain.MLP)])
def test_a_sublayer_that_hurts_goes_first(remove, grain):
    """Labels are what the model says with one sublayer silenced: without that one it is right more often."""
    model = toy("vit", num_hidden_layers=5)
    units = units_of(model, grain)
    found, ctx = context("vit", "greedy-loss-blocks", model, remove=remove)
    for batch in ctx.batches:
        with mask(model, [units[2]]), torch.no_grad():
            batch["labels"] = model(pixel_values=batch["pixel_values"]).logits.argmax(-1)
    by_loss = sorted(ctx.units, key=lambda unit: losses(ctx, [unit]))
    (plan,) = found.plans(ctx, [1.5 / len(units)])
    assert plan.drop == {by_loss[0]} and losses(ctx, plan.drop) < losses(ctx, ())


def test_the_ends_of_each_stack_are_never_tried_until_nothing_else_is_left():
    found = method("greedy-loss-blocks", first=1, last=1)
    ctx = ToyContext("marian", found)
    per_stack = {stack: [u for u in ctx.units if u.site.stack == stack] for stack in ("encoder", "decoder")}
    inner = {unit for units in per_stack.values() for unit in units[1:-1]}
    assert set(found.candidates(ctx, [])) == inner and inner
    assert set(found.candidates(ctx, sorted(inner))) == set(ctx.units) - inner
    gone = per_stack["encoder"][:1]  # the ends are those of what is left
    assert per_stack["encoder"][1] not in found.candidates(ctx, gone)


def test_without_barriers_every_block_is_tried():
    found, ctx = context("llama", "greedy-loss-blocks")
    assert found.candidates(ctx, []) == list(ctx.units)


def test_plans_are_nested_and_end_with_everything():
    drops = [plan.drop for plan in plans("bert", "greedy-loss-blocks", [1 / 3, 2 / 3, 1.0], first=1, last=1)]
    assert drops[0] < drops[1] < drops[2] and len(drops[2]) == 3


def test_the_blocks_below_a_candidate_run_once_for_all():
    found, ctx = context("bert", "greedy-loss-blocks", toy("bert", num_hidden_layers=6))
    runs = []
    ctx.model.bert.encoder.layer[0].register_forward_hook(lambda *_: runs.append(1))
    list(found.plans(ctx, [1 / 6]))
    assert len(runs) == 2 * len(ctx.batches), "once for all blocks above it, and once without itself"
