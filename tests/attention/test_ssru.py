"""Marian with a recurrence in its decoder: what has heads is offered, the rest says so, and nothing is lost on disk."""

import math

import pytest
import torch
from attention_helpers import logits, removed
from transformers import AutoModelForSeq2SeqLM

from headroom.api import Grain, Site, Unit
from headroom.attention import anatomy, load_removed, remove, save_removed, toy, toy_batch
from headroom.attention.ssru import SSRU
from headroom.errors import UserError

SITE = Site("decoder", "self", 0)


@pytest.fixture(scope="module")
def model():
    return toy("marian_ssru")


@pytest.fixture(scope="module")
def batch():
    return toy_batch("marian_ssru")


def generated(model, batch, **how):
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return model.generate(**inputs, max_new_tokens=9, min_new_tokens=9, do_sample=False, **how)


def test_the_recurrence_is_that_of_its_paper():
    torch.manual_seed(0)
    unit, words = SSRU(4, 0).double(), torch.randn(2, 5, 4, dtype=torch.float64)
    state = torch.zeros(2, 4, dtype=torch.float64)
    made, _ = unit(words)
    for place in range(5):
        forget = torch.sigmoid(words[:, place] @ unit.forget.weight.T + unit.forget.bias)
        state = forget * state + (1 - forget) * (words[:, place] @ unit.input.weight.T)
        assert torch.allclose(made[:, place], state.clamp_min(0), atol=1e-12)


def test_positions_end_at_the_longest_wavelength_of_marian(model):
    table = type(model)(model.config).model.encoder.embed_positions.weight  # those of a toy are drawn at random
    half = table.shape[1] // 2
    assert torch.allclose(table[3, :half], torch.sin(3 * torch.logspace(0, -4, half)), atol=1e-6)
    assert math.isclose(table[3, -1], math.cos(3 / 10000), abs_tol=1e-6)


@pytest.mark.parametrize("beams", [1, 3])
def test_step_by_step_it_generates_what_it_does_from_the_start(model, batch, beams):
    stepwise = generated(model, batch, num_beams=beams, use_cache=True)
    assert torch.equal(stepwise, generated(model, batch, num_beams=beams, use_cache=False))


@pytest.mark.parametrize("beams", [1, 2])
def test_what_it_remembers_does_not_grow_with_the_text(model, batch, beams):
    cache = generated(model, batch, num_beams=beams, return_dict_in_generate=True).past_key_values
    assert {slot.values.shape[-2] for slot in cache.self_attention_cache.layers} == {1}
    assert cache.get_seq_length() == 9


def test_encoder_and_cross_attention_have_heads_and_the_recurrence_none(model):
    plan = anatomy(model)
    assert {(site.stack, site.kind) for site in plan.info.sites} == {("encoder", "self"), ("decoder", "cross")}
    assert {unit.grain for unit in plan.units(Grain)} >= {Grain.HEAD, Grain.ATTENTION, Grain.MLP, Grain.BLOCK}
    for unit in (Unit(SITE, Grain.HEAD, 0), Unit(SITE, Grain.ATTENTION)):
        with pytest.raises(UserError, match=r"decoder.self is a recurrence \(SSRU\) and has no heads"):
            plan.place(unit)


def test_it_is_saved_and_read_again_as_the_library_does(model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    again, found = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not found["missing_keys"] and not found["unexpected_keys"]
    # positions are drawn at random in a toy; the library saves none and makes them anew
    again.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "embed_positions" in name}, strict=False
    )
    assert type(again) is type(model)
    assert torch.equal(logits(again.eval(), batch), logits(model, batch))


def test_a_pruned_one_is_read_again_to_the_bit(model, batch, tmp_path):
    units = [Unit(Site("encoder", "self", 1), Grain.HEAD, 2), Unit(Site("decoder", "cross", 0), Grain.HEAD, 0)]
    small = removed(model, [*units, Unit(Site("decoder", "block", 1), Grain.BLOCK)])
    save_removed(small, tmp_path)
    again = load_removed(tmp_path)
    assert type(again) is type(model) and torch.equal(logits(again, batch), logits(small, batch))
    assert torch.equal(generated(again, batch), generated(small, batch, use_cache=False))
    remove(again, [Unit(Site("encoder", "self", 0), Grain.HEAD, 0)])
