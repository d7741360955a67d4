"""Slopes of gates against finite differences, and against each other."""

import pytest
import torch
from attention_helpers import GRAINS, apart, per_example_loss, toy64

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy, gate, toy, toy_batch

# one of each kind of family; the others take minutes
SEEN = ("bert", "vit", "llama", "gpt2", "gemma3", "marian", "t5")
EVERY = [name if name in SEEN else pytest.param(name, marks=pytest.mark.slow) for name in FAMILY_NAMES]


@pytest.fixture(autouse=True)
def norms_in_float64(monkeypatch):
    """RMS norms compute in float32 whatever the model's precision, which hides errors below 1e-5."""
    to, float_ = torch.Tensor.to, torch.Tensor.float

    def wide_to(self, *args, **kwargs):
        keep = self.dtype is torch.float64 and args[:1] == (torch.float32,)
        return self if keep else to(self, *args, **kwargs)

    softmax = torch.nn.functional.softmax

    def wide_softmax(scores, dim=None, dtype=None, **kwargs):
        return softmax(scores, dim=dim, dtype=None if scores.dtype is torch.float64 else dtype, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "softmax", wide_softmax)
    monkeypatch.setattr(torch.Tensor, "to", wide_to)
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self if self.dtype is torch.float64 else float_(self))


def slopes_and_differences(model, batch, units, step=2e-4):
    site = units[0].site
    with gate(model, units) as gates:
        slopes = gates.slopes(per_example_loss(model, batch).sum())[site]
    values = torch.ones(len(units), dtype=torch.float64)
    differences = torch.zeros_like(values)
    with gate(model, units, values=lambda _: values), torch.no_grad():
        for index in range(len(units)):
            for offset, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
                values[index] = 1 + offset * step
                differences[index] += weight * per_example_loss(model, batch).sum() / step
            values[index] = 1
    return slopes, differences


@pytest.mark.parametrize("family", EVERY)
def test_gate_gradient_equals_fourth_order_differences(family):
    changes = {"activation_function": "gelu"} if family in ("opt", "m2m_100") else {}  # the ReLU has kinks
    model, batch = toy64(family, **changes), toy_batch(family)
    if "pixel_values" in batch:
        batch["pixel_values"] = batch["pixel_values"].double()
    plan = anatomy(model)
    for grain in GRAINS:
        units = plan.units((grain,))
        for site in {units[0].site, units[-1].site}:
            slopes, differences = slopes_and_differences(model, batch, [u for u in units if u.site == site])
            assert slopes.abs().max() > 1e-3
            assert apart(slopes, differences) < 1e-8, (site, grain)


@pytest.mark.parametrize("family", EVERY)
def test_gradients_per_example_and_per_token_sum_to_the_gradient_of_the_batch(family):
    model, batch = toy(family), toy_batch(family)
    plan = anatomy(model)
    chosen = [unit for grain in (Grain.HEAD, Grain.MLP, Grain.BLOCK) for unit in plan.units((grain,))]
    found = {}
    for per in ("batch", "example", "token"):
        with gate(model, chosen, per=per) as gates:
            found[per] = gates.slopes(per_example_loss(model, batch).sum())
    for site, whole in found["batch"].items():
        assert found["example"][site].shape == (3, len(whole))
        assert found["token"][site].shape[0] == 3 and found["token"][site].shape[2] == len(whole)
        assert torch.allclose(found["example"][site].sum(0), whole, atol=1e-4)
        assert torch.allclose(found["token"][site].sum((0, 1)), whole, atol=1e-4)


def test_gradient_per_example_is_that_of_the_example_alone():
    model, batch = toy("bert"), toy_batch("bert")
    with gate(model, per="example") as gates:
        together = gates.slopes(per_example_loss(model, batch).sum())
        alone = gates.slopes(per_example_loss(model, {name: value[1:2] for name, value in batch.items()}).sum())
    for site in together:
        assert torch.allclose(together[site][1], alone[site][0], atol=1e-5)


def test_gates_of_a_kv_group_are_shared_by_its_query_heads():
    model, batch = toy("llama"), toy_batch("llama")
    units = {grain: anatomy(model).units((grain,)) for grain in (Grain.HEAD, Grain.KV_GROUP)}
    found = {}
    for grain, chosen in units.items():
        with gate(model, chosen) as gates:
            found[grain] = gates.slopes(per_example_loss(model, batch).sum())
    for site, slopes in found[Grain.HEAD].items():
        assert torch.allclose(slopes.unflatten(0, (2, 4)).sum(1), found[Grain.KV_GROUP][site], atol=1e-4)
