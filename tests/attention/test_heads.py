"""What the heads make can be watched: contexts, values and maps of every family, with their graph, without pads."""

import pytest
import torch
from attention_helpers import GROUPED, PAIRS, logits, removed

from headroom.api import Grain, Site
from headroom.attention import FAMILY_NAMES, anatomy, heads, toy, toy_batch
from headroom.errors import UserError

PADDED = tuple(name for name in FAMILY_NAMES if name not in ("vit", "deit"))


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def sites(model):
    return list(anatomy(model).info.sites)


def seen(model, batch, made):
    with heads(model, made) as watched:
        model(**batch)
        return {site: watched.at(site) for site in sites(model)}, {site: watched.real(site) for site in sites(model)}


def units_at(model, site):
    return anatomy(model).info.groups[site]


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_context_is_the_map_applied_to_the_values(family):
    model, batch = toy(family), toy_batch(family)
    (contexts, real), (values, _), (maps, _) = (seen(model, batch, made) for made in ("context", "value", "map"))
    for site in sites(model):
        of_heads = contexts[site].unflatten(-1, (-1, values[site].shape[-1]))  # (batch, tokens, units, heads, size)
        expected = torch.einsum("buqk,bkus->bqus", maps[site], values[site])
        # dividing before adding or after it makes the last digits differ where query heads share a unit
        assert torch.allclose(of_heads.mean(-2), expected, atol=1e-4), site
        assert contexts[site].shape[:3] == (*real[site].shape, units_at(model, site))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_rows_of_a_map_sum_to_one_for_real_queries_and_to_nothing_for_pads(family):
    model = toy(family)
    maps, real = seen(model, toy_batch(family), "map")
    for site, weights in maps.items():
        rows = weights.sum(-1)  # (batch, units, queries)
        assert torch.allclose(rows, real[site][:, None, :].to(rows).expand_as(rows), atol=1e-5), site


@pytest.mark.parametrize("family", PADDED)
@pytest.mark.parametrize("made", ["context", "value"])
def test_what_is_padded_is_zero_and_nothing_else_is(family, made):
    model, batch = toy(family), toy_batch(family)
    made_here, real = seen(model, batch, made)
    for site, states in made_here.items():
        from_encoder = made == "value" and site.kind == "cross"
        present = batch["attention_mask"].bool() if from_encoder else real[site]
        assert 0 < int((~present).sum()) < present.numel()
        assert torch.equal(states.abs().sum((2, 3)) > 0, present), site


@pytest.mark.parametrize("family", PAIRS)
def test_a_decoders_pads_are_known_from_its_inputs_when_there_are_no_labels(family):
    model, batch = toy(family), toy_batch(family)
    target = batch.pop("labels").clamp_min(0)
    pad = model.config.pad_token_id
    start = torch.full((len(target), 1), model.config.decoder_start_token_id)
    batch["decoder_input_ids"] = torch.cat([start, target], 1)
    _, real = seen(model, batch, "context")
    wanted = batch["decoder_input_ids"].ne(pad)
    wanted[:, 0] = True  # the word that starts a decoder may be the padding word, and is read all the same
    assert torch.equal(real[Site("decoder", "cross", 0)], wanted)
    assert torch.equal(real[Site("encoder", "self", 0)], batch["attention_mask"].bool())


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("made", ["context", "value", "map"])
def test_gradients_flow_from_every_site_to_the_weights_that_made_it(family, made):
    model, batch = toy(family), toy_batch(family)
    with heads(model, made) as watched:
        model(**batch)
        for site in sites(model):
            states = watched.at(site)
            states.square().sum().backward(retain_graph=True)
            weights = [p.grad for name, p in model.named_parameters() if p.dim() > 1 and p.grad is not None]
            assert any(float(grad.abs().sum()) > 0 for grad in weights), site
            model.zero_grad()


@pytest.mark.parametrize("family", ["bert", "gpt2", "gpt_neox", "marian", "t5", "llama"])
@pytest.mark.parametrize("made", ["context", "value", "map"])
def test_a_model_that_lost_heads_shows_those_that_are_left(family, made):
    model, batch = toy(family), toy_batch(family)
    grain = Grain.KV_GROUP if family in GROUPED else Grain.HEAD
    here = [unit for unit in anatomy(model).units((grain,)) if unit.site.layer == 0]
    small = removed(model, [unit for unit in here if unit.index > 0] + _whole_site(model, grain, layer=2))
    with heads(small, made) as watched:
        small(**batch)
        for site in (site for site in sites(small) if units_at(small, site)):
            states = watched.at(site)
            assert states.shape[1 if made == "map" else 2] == units_at(small, site)


def _whole_site(model, grain, layer):
    return [unit for unit in anatomy(model).units((grain,)) if unit.site.layer == layer and unit.site.kind == "self"]


@pytest.mark.parametrize("made", ["context", "value", "map"])
def test_watching_leaves_no_trace_even_after_an_exception(made):
    model, batch = toy("llama"), toy_batch("llama")
    before, attached, way = logits(model, batch), hooks(model), model.config._attn_implementation
    with pytest.raises(ZeroDivisionError), heads(model, made):
        model(**batch)
        raise ZeroDivisionError
    assert (hooks(model), model.config._attn_implementation) == (attached, way)
    assert torch.equal(logits(model, batch), before)


def test_each_pass_forgets_the_one_before():
    model, first, second = toy("bert"), toy_batch("bert", 2, seed=1), toy_batch("bert", 3, seed=2)
    site = sites(model)[0]
    with heads(model) as watched:
        model(**first)
        model(**second)
        assert len(watched.at(site)) == 3


def test_asking_before_a_pass_names_the_site():
    model = toy("bert")
    site = sites(model)[0]
    for ask in ("at", "real"):
        with heads(model) as watched, pytest.raises(UserError, match=r"nothing was seen at encoder\.self\.0"):
            getattr(watched, ask)(site)
