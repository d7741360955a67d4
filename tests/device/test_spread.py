"""A model that accelerate has spread over devices is gated, shared and cut as any other."""

import pytest
import torch
from accelerate import dispatch_model

from headroom import attention
from headroom.attention import anatomy, toy, toy_batch
from headroom.evaluate import logit_difference


@pytest.fixture
def spread():
    """A toy with accelerate's hooks on every layer, as `device_map: auto` has them; all of its devices are this CPU."""
    model = toy("llama")
    parts = ["model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head"]
    parts += [f"model.layers.{layer}" for layer in range(len(model.model.layers))]
    return dispatch_model(model, dict.fromkeys(parts, "cpu"), main_device="cpu", force_hooks=True)


def test_a_copy_that_shares_its_weights_runs_its_own_modules(spread):
    other = attention.twin(spread)
    for one, two in zip(spread.model.layers, other.model.layers, strict=True):
        assert two.self_attn.forward.args[0] is two.self_attn
        assert two.self_attn.q_proj.weight.data_ptr() == one.self_attn.q_proj.weight.data_ptr()


def test_what_is_removed_of_it_answers_as_what_is_masked_and_it_is_left_whole(spread):
    batch = toy_batch("llama")
    before = spread(**batch).logits
    for grain in anatomy(spread).info.grains:
        units = anatomy(spread).units((grain,))
        units = units[: max(1, len(units) // 3)]
        removed = attention.without(attention.twin(spread), units)
        assert logit_difference(spread, removed, units, batch) < 1e-5
    assert torch.equal(spread(**batch).logits, before)


def test_its_gates_have_the_slopes_of_a_model_that_is_not_spread(spread):
    batch, found = toy_batch("llama"), []
    for model in (toy("llama"), spread):
        with attention.gate(model, per="example") as gates:
            found.append(gates.slopes(model(**batch).loss))
    assert all(torch.allclose(found[0][site], found[1][site]) for site in found[0])
