"""Generation with a cache gives the logits of generation without one, whatever has been removed."""

import pytest
import torch
from attention_helpers import (
    CAUSAL,
    GENERATING,
    GROUPED,
    PAIRS,
    apart,
    attention_units,
    block_units,
    generate,
    random_units,
    removed,
    worst_step,
)

from headroom.api import Grain, Site, Unit
from headroom.attention import anatomy, count, mask, stand_ins, toy, toy_batch

TOLERANCE = 1e-4

PLANS = {
    "first-attention": lambda model: attention_units(model)[:1],
    "last-attention": lambda model: attention_units(model)[-1:],
    "all-self-attention": attention_units,
    "first-block": lambda model: block_units(model)[:1],
    "all-heads-of-layer-0": lambda model: [
        unit for unit in anatomy(model).units((Grain.HEAD,)) if unit.site == Site("decoder", "self", 0)
    ],
    "half-of-the-heads": lambda model: random_units(model, (Grain.HEAD,), 0.5, 1),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("family", GENERATING)
def test_cached_logits_equal_uncached_ones(family, plan):
    model = toy(family)
    assert worst_step(removed(model, PLANS[plan](model)), family) < TOLERANCE


@pytest.mark.parametrize("family", PAIRS)
@pytest.mark.parametrize("plan", ["cross", "encoder-blocks"])
def test_cached_logits_equal_uncached_ones_without_cross_attention_or_encoder_blocks(family, plan):
    model = toy(family)
    units = attention_units(model, "cross") if plan == "cross" else block_units(model, "encoder")[:2]
    assert worst_step(removed(model, units), family) < TOLERANCE
    assert worst_step(removed(model, units[:1]), family) < TOLERANCE


@pytest.mark.parametrize("family", ["llama", "gpt2", "marian", "t5", "gemma2", "gemma3", "mistral"])
@pytest.mark.parametrize("plan", ["first-attention", "half-of-the-heads"])
@pytest.mark.parametrize("way", ["beams", "static"])
def test_beams_and_static_caches_agree_too(family, plan, way):
    model = toy(family)
    kwargs = {"num_beams": 3} if way == "beams" else {"cache_implementation": "static"}
    assert worst_step(removed(model, PLANS[plan](model)), family, words=4, **kwargs) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("family", GENERATING)
@pytest.mark.parametrize("way", ["beams", "static"])
def test_beams_and_static_caches_agree_for_every_family_and_plan(family, plan, way):
    model = toy(family)
    kwargs = {"num_beams": 3} if way == "beams" else {"cache_implementation": "static"}
    assert worst_step(removed(model, PLANS[plan](model)), family, words=12, **kwargs) < TOLERANCE


@pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3"])
def test_uneven_groups_decode_as_the_masked_model_does(family):
    model = toy(family)
    units = [Unit(Site("decoder", "self", layer), Grain.HEAD, head) for layer in (0, 2) for head in (1, 4, 5, 6)]
    with mask(model, units):
        wanted = generate(model, family, cached=True)
    found = generate(removed(model, units), family, cached=True)
    assert max(apart(one, other) for one, other in zip(found.logits, wanted.logits, strict=True)) < TOLERANCE


@pytest.mark.parametrize("family", ["llama", "gemma3", "marian"])
def test_an_unfilled_first_slot_would_be_noticed(family, monkeypatch):
    model = toy(family)
    gone = [0, 2] if family == "gemma3" else [0]  # lengths are read from the first layer with full attention
    small = removed(model, [attention_units(model)[layer] for layer in gone])
    assert worst_step(small, family) < TOLERANCE
    monkeypatch.setattr(stand_ins, "fill_slot", lambda *_: None)
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        assert worst_step(small, family) < TOLERANCE


def cache_bytes(cache):
    layers = getattr(cache, "self_attention_cache", cache).layers
    return sum(tensor.numel() * 4 for layer in layers for tensor in (layer.keys, layer.values))


@pytest.mark.parametrize("family", GENERATING)
def test_the_cache_holds_as_many_bytes_as_counted(family):
    model, batch = toy(family), toy_batch(family)
    site = Site("decoder", "self", 1)
    units = [*attention_units(model)[:1], *(u for u in anatomy(model).units((Grain.KV_GROUP,)) if u.site == site)]
    for gone in ([], units[:1], units[:2], units):
        small = removed(model, gone)
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        if family in PAIRS:
            inputs["decoder_input_ids"] = torch.arange(2, 9).repeat(3, 1)
        with torch.no_grad():
            output = small(**inputs, use_cache=True)
        tokens = 7 if family in PAIRS else 11
        if family in ("mistral", "gemma2", "gemma3"):
            tokens = None  # sliding layers keep the window only
        if tokens is not None:
            states = 3 * 3 * 32 * 4 if family == "marian_ssru" else 0  # one a layer and example, however many tokens
            assert cache_bytes(output.past_key_values) == 3 * tokens * count(small, batch).kv_bytes_per_token + states
        cross = getattr(output.past_key_values, "cross_attention_cache", None)
        if cross is not None:
            held = sum(2 * layer.keys.numel() * 4 for layer in cross.layers)
            assert held == 3 * 11 * count(small, batch).cross_kv_bytes_per_token


@pytest.mark.parametrize("family", [family for family in CAUSAL if family in GROUPED])
def test_a_kv_group_goes_from_the_cache_with_its_last_query_head(family):
    model, batch = toy(family), toy_batch(family)
    site = Site("decoder", "self", 1)
    dense = count(model, batch).kv_bytes_per_token
    three = removed(model, [Unit(site, Grain.HEAD, head) for head in (0, 1, 2)])
    four = removed(three, [Unit(site, Grain.HEAD, 3)])
    assert count(three, batch).kv_bytes_per_token == dense
    assert count(four, batch).kv_bytes_per_token == dense - 2 * 4 * 8
