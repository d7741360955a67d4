"""What gates and masks promise besides their gradients."""

import pytest
import torch
from attention_helpers import apart, block_units, logits, per_example_loss, removed

from headroom.api import Gates, Grain, Site, Unit
from headroom.attention import FAMILY_NAMES, anatomy, count, gate, mask, toy, toy_batch, watch
from headroom.errors import UserError


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_gates_of_one_change_nothing(family):
    model, batch = toy(family), toy_batch(family)
    dense = logits(model, batch)
    for grain in (Grain.HEAD, Grain.KV_GROUP, Grain.ATTENTION, Grain.MLP, Grain.BLOCK):
        with gate(model, anatomy(model).units((grain,))) as gates:
            assert isinstance(gates, Gates)
            assert apart(logits(model, batch), dense) < 1e-6


@pytest.mark.parametrize("family", ["bert", "t5", "llama"])
def test_gates_hooks_and_frozen_weights_are_undone_after_an_exception(family):
    model, batch = toy(family), toy_batch(family)
    frozen_before = next(model.parameters()).requires_grad_(False)
    asking = [parameter.requires_grad for parameter in model.parameters()]
    dense, attached = logits(model, batch), hooks(model)
    for enter in (
        gate,
        watch,
        lambda model: mask(model, block_units(model, "decoder" if family != "bert" else "encoder")),
    ):
        with pytest.raises(ZeroDivisionError), enter(model):
            if enter is gate:
                assert not any(parameter.requires_grad for parameter in model.parameters())
            raise ZeroDivisionError
        assert hooks(model) == attached
    assert [parameter.requires_grad for parameter in model.parameters()] == asking
    assert not frozen_before.requires_grad
    assert torch.equal(logits(model, batch), dense)


def test_a_gate_for_a_missing_unit_leaves_no_hook_behind():
    model = toy("bert")
    attached = hooks(model)
    with (
        pytest.raises(UserError, match=r"head:encoder\.self\.0\.9"),
        gate(model, [Unit(Site("encoder", "self", 0), Grain.HEAD, 9)]),
    ):
        pass
    assert hooks(model) == attached


def test_slopes_touch_no_weight_gradient_and_are_detached():
    model, batch = toy("marian"), toy_batch("marian")
    with gate(model) as gates:
        slopes = gates.slopes(per_example_loss(model, batch).sum())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not slope.requires_grad and slope.dtype is torch.float32 for slope in slopes.values())
    assert set(slopes) == set(anatomy(model).info.sites)


def test_slopes_before_any_forward_pass_say_so():
    with gate(toy("bert")) as gates, pytest.raises(RuntimeError, match="forward pass"):
        gates.slopes(torch.zeros((), requires_grad=True))


def test_own_gates_train_together_with_the_weights():
    model, batch = toy("bert"), toy_batch("bert")
    own = {site: torch.nn.Parameter(torch.full((heads,), 0.5)) for site, heads in anatomy(model).info.sites.items()}
    with gate(model, values=own.__getitem__):
        model(**batch).loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in own.values())
    assert model.classifier.weight.grad is not None


def test_own_gates_are_asked_for_at_every_pass():
    model, batch = toy("bert"), toy_batch("bert")
    drawn = []
    with gate(model, values=lambda site: drawn.append(site) or torch.rand(4)):
        assert not torch.equal(logits(model, batch), logits(model, batch))
    assert len(drawn) == 6


def test_own_gates_of_zero_on_some_units_of_a_site_leave_the_others_alone():
    model, batch = toy("llama"), toy_batch("llama")
    site = Site("decoder", "self", 1)
    units = [Unit(site, Grain.HEAD, head) for head in (2, 5)]
    with gate(model, units, values=lambda _: torch.zeros(2)):
        gated = logits(model, batch)
    with mask(model, units):
        assert torch.equal(gated, logits(model, batch))


def test_gates_work_on_a_pruned_model_in_dense_numbering():
    model, batch = toy("llama"), toy_batch("llama")
    first = [Unit(Site("decoder", "self", 1), Grain.HEAD, head) for head in (0, 5)] + block_units(model)[:1]
    second = [Unit(Site("decoder", "self", 1), Grain.HEAD, head) for head in (1, 7)] + block_units(model)[2:3]
    small = removed(model, first)
    with mask(small, second):
        masked = logits(small, batch)
    assert apart(logits(removed(model, first + second), batch), masked) < 1e-5
    with gate(small) as gates:
        slopes = gates.slopes(per_example_loss(small, batch).sum())
    assert len(slopes[Site("decoder", "self", 1)]) == 6


def test_a_site_stands_for_all_its_units_and_two_grains_at_one_site_are_refused():
    model = toy("llama")
    site = Site("decoder", "mlp", 1)
    with gate(model, [site, Site("decoder", "self", 0)]) as gates:
        assert gates.units[site] == [Unit(site, Grain.MLP)]
        assert len(gates.units[Site("decoder", "self", 0)]) == 8
    own = Site("decoder", "self", 0)
    with pytest.raises(UserError, match="one grain per site"), gate(model, [Unit(own, Grain.ATTENTION), own]):
        pass


def test_gates_in_bfloat16_are_float32():
    model, batch = toy("llama").bfloat16(), toy_batch("llama")
    with gate(model) as gates:
        slopes = gates.slopes(model(**batch).logits.float().tanh().sum())
    assert all(slope.dtype is torch.float32 and slope.abs().max() > 0 for slope in slopes.values())


@pytest.mark.parametrize("name", ["head_mask", "decoder_head_mask", "cross_attn_head_mask"])
def test_head_masks_are_refused_instead_of_swallowed(name):
    model, batch = toy("bert"), toy_batch("bert") | {name: torch.ones(3, 4)}
    with pytest.raises(UserError, match=name):
        count(model, batch)
    for enter in (gate, watch, lambda model: mask(model, [])):
        with enter(model), pytest.raises(UserError, match=name):
            model(**batch)


def test_sites_that_no_pass_reaches_have_slopes_of_zero():
    model = toy("gpt2", add_cross_attention=True)
    batch = toy_batch("gpt2")
    for per in ("batch", "example", "token"):
        with gate(model, per=per) as gates:
            slopes = gates.slopes(per_example_loss(model, batch).sum())
        assert set(slopes) == set(anatomy(model).info.sites)
        assert slopes[Site("decoder", "cross", 0)].abs().max() == 0 < slopes[Site("decoder", "self", 0)].abs().max()
        assert slopes[Site("decoder", "cross", 0)].shape == slopes[Site("decoder", "self", 0)].shape
