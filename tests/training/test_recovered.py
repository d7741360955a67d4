"""What is left of a model learns, in full, by adapters or from the dense model, which is not changed by a bit."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from headroom.api import Grain
from headroom.attention import anatomy, toy, toy_batch, without
from headroom.checks.toy_bench import Stack
from headroom.config.recovery import Recover
from headroom.data.batches import IGNORED, logits_of, per_example_loss
from headroom.errors import UserError
from headroom.training.adapters import adapted, linear_maps
from headroom.training.distilling import divergence, divergences, towards
from headroom.training.fit import TrainingError, fit
from headroom.training.lessons import Lessons
from headroom.training.recovery import recovered

KINDS = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora"},
    "distil": {"kind": "distil"},
    "distil by adapters": {"kind": "distil", "rank": 2},
}
STEPS = 2


def lessons(family: str, batch: dict | None = None, rate: float = 1e-3, **recipe) -> Lessons:
    batch = batch or toy_batch(family, 8)
    examples = [{name: value[at] for name, value in batch.items()} for at in range(8)]
    return Lessons(examples, Stack(), Recover(steps=STEPS, batch=4, learning_rate=rate, **recipe), None, None)


def ragged(dense, grain=Grain.HEAD, every=3):
    """Without a part of the units of a grain, so that layers keep different numbers of them."""
    return without(dense, anatomy(dense).units((grain,))[::every])


def bits(model) -> dict:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def made_of(model) -> list:
    return [(name, type(module)) for name, module in model.named_modules()]


# Conv1D and fused projections; uneven groups of query heads; a recurrence in the place of a decoder's attention
@pytest.mark.parametrize("family", ["gpt2", "llama", "marian_ssru"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_linear_maps_learn_and_the_dense_model_does_not(family, kind):
    dense = toy(family).eval()
    removed = ragged(dense)
    before, left, asks = bits(dense), bits(removed), [weight.requires_grad for weight in removed.parameters()]
    model, losses = recovered(removed, dense, lessons(family, **KINDS[kind]), STEPS, 0)
    assert equal(bits(dense), before) and equal(bits(removed), left), "the tensors are shared, and are as they were"
    assert made_of(model) == made_of(removed) and model.state_dict().keys() == left.keys()
    assert [weight.requires_grad for weight in model.parameters()] == asks
    assert [weight.requires_grad for weight in removed.parameters()] == asks
    places = linear_maps(model)
    assert all(not torch.equal(model.get_submodule(place).weight, left[f"{place}.weight"]) for place in places)
    assert not model.training and [one["step"] for one in losses] == [1, 2]


def test_two_recoveries_give_the_same_bits_and_another_seed_does_not():
    dense = toy("bert").eval()
    first, again, other = (recovered(dense, dense, lessons("bert", kind="lora"), STEPS, seed)[0] for seed in (0, 0, 1))
    assert equal(bits(first), bits(again)) and not equal(bits(first), bits(other))


def test_full_is_the_training_loop_on_a_copy():
    dense, taught = toy("bert").eval(), lessons("bert")
    by_hand = copy.deepcopy(ragged(dense))
    taught.teach(by_hand, STEPS, 0)
    assert equal(bits(recovered(ragged(dense), dense, taught, STEPS, 0)[0]), bits(by_hand))


def test_a_model_without_any_attention_learns_by_its_mlps():
    dense = toy("llama").eval()
    bare = ragged(dense, Grain.ATTENTION, every=1)
    assert linear_maps(bare) and not any("attn" in place for place in linear_maps(bare))
    model, _ = recovered(bare, dense, lessons("llama", kind="lora"), STEPS, 0)
    assert not equal(bits(model), bits(bare))


def test_where_no_linear_map_is_left_a_sentence_says_so_before_anything_runs():
    dense = toy("gpt2").eval()
    units = anatomy(dense).units((Grain.ATTENTION, Grain.MLP))
    with pytest.raises(UserError, match="nothing is left in the model's blocks that could be adapted"):
        recovered(without(dense, units), dense, lessons("gpt2", kind="lora"), STEPS, 0)


def test_layers_with_one_weight_are_not_adapted():
    dense = toy("bert").eval()
    first, second = (layer.intermediate.dense for layer in list(anatomy(dense).blocks("encoder"))[:2])
    second.weight = first.weight
    with pytest.raises(UserError, match=r"0.intermediate.dense and .*1.intermediate.dense have one weight"):
        recovered(dense, dense, lessons("bert", kind="lora"), STEPS, 0)


def test_adapters_come_out_again_when_a_training_breaks_off():
    dense = toy("llama").eval()
    removed = ragged(dense)
    before, modules = bits(removed), made_of(removed)
    with pytest.raises(TrainingError), adapted(removed, 4, 0):
        raise TrainingError("the loss is nan")
    assert equal(bits(removed), before) and made_of(removed) == modules
    assert all(weight.requires_grad for weight in dense.parameters())


def test_until_they_are_merged_adapters_share_all_weights_and_leave_16_bits_as_they_are():
    dense = toy("llama").bfloat16().eval()
    there = {weight.data_ptr() for weight in dense.parameters()}
    seen: list[bool] = []

    def look(step: int, loss: float) -> None:
        rest = [weight for weight in dense.parameters() if weight.data_ptr() in there]
        seen.append(len(rest) == len(there) and {weight.dtype for weight in rest} == {torch.bfloat16})

    model, _ = recovered(dense, dense, lessons("llama", kind="distil", rank=2), STEPS, 0, on_step=look)
    assert seen == [True] * STEPS and {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    own = {weight.data_ptr() for weight in model.parameters()} - there
    assert len(own) == len(linear_maps(model)), "what adapters were merged into, and nothing else"


@pytest.mark.parametrize("family", ["vit", "llama", "marian"])
def test_distillation_lowers_half_the_divergence_and_half_the_loss_of_the_task(family):
    dense, batch = toy(family).eval(), toy_batch(family, 4)
    removed = ragged(dense).eval()
    with torch.no_grad():
        wanted, found = logits_of(dense, batch), logits_of(removed, batch)
        rows, labels = [], batch["labels"]
        for row in range(4):
            ours, theirs, said = found[row], wanted[row], labels[row]
            if family == "llama":
                ours, theirs, said = ours[:-1], theirs[:-1], said[1:]
            counted = said != IGNORED if said.dim() else slice(None)
            each = functional.kl_div(ours.log_softmax(-1), theirs.softmax(-1), reduction="none").sum(-1)
            rows.append(each[counted].mean() if said.dim() else each)
        loss = (torch.stack(rows).mean() + per_example_loss(removed, batch).mean()) / 2
        assert float(towards(dense, removed)(batch)) == pytest.approx(float(loss), rel=1e-5)
        assert float(divergences(dense, wanted, wanted, labels).abs().max()) < 1e-6


def test_what_is_predicted_at_padding_counts_for_nothing():
    dense, labels = toy("marian").eval(), torch.tensor([[3, 4, IGNORED], [5, IGNORED, IGNORED]])
    found, wanted = torch.randn(2, 3, 7), torch.randn(2, 3, 7)
    before = divergences(dense, found, wanted, labels)
    found[labels == IGNORED] += 9 * torch.randn(3, 7)
    assert torch.equal(divergences(dense, found, wanted, labels), before)


def test_distillation_stays_nearer_to_the_dense_model_than_labels_alone_do():
    dense, batch = toy("bert").eval(), toy_batch("bert", 8)
    removed, away = ragged(dense, every=2), {}
    for kind in ("full", "distil"):
        model, _ = recovered(removed, dense, lessons("bert", kind=kind), 8, 0)
        with torch.no_grad():
            away[kind] = float(divergence(model(**batch).logits, dense(**batch).logits).mean())
    assert away["distil"] < away["full"] / 2


def test_a_loop_ends_after_the_step_in_which_it_is_told_to():
    model, batch, done = nn.Sequential(nn.Linear(2, 2)), {"x": torch.ones(1, 2)}, []
    losses = fit(
        model,
        iter([batch] * 9),
        9,
        0.1,
        objective=lambda one: model(one["x"]).sum(),
        on_step=lambda step, loss: done.append(step),
        stop=lambda: len(done) == 4,
        shown=False,
    )
    assert done == [1, 2, 3, 4] and losses[-1]["step"] == 4 and not model.training
