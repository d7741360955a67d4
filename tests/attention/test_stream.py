"""The residual stream around sublayers and blocks."""

from itertools import pairwise

import pytest
import torch
from attention_helpers import GENERATING, PAIRS, apart, attention_units, logits, removed

from headroom.api import Grain, Site, Stream
from headroom.attention import FAMILY_NAMES, anatomy, mask, toy, toy_batch, watch
from headroom.errors import UserError


def tokens(family, stack):
    batch = toy_batch(family)
    if "pixel_values" in batch:
        return 3 * (18 if family == "deit" else 17)
    if family in PAIRS and stack == "decoder":
        return int((batch["labels"] != -100).sum())
    return int(batch["attention_mask"].sum())


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_streams_chain_from_site_to_site_with_pads_left_out(family):
    model, batch = toy(family), toy_batch(family)
    plan = anatomy(model)
    with watch(model) as stream, torch.no_grad():
        model(**batch)
        assert isinstance(stream, Stream)
        around = {site: stream.around(site) for site in plan.places}
    for site, (before, after) in around.items():
        assert before.shape == after.shape == (tokens(family, site.stack), 32), site
        assert not before.requires_grad and before.dtype is torch.float32
    for stack in plan.stacks:
        kinds = [kind for kind in ("self", "cross", "mlp") if Site(stack, kind, 0) in around]
        for layer in range(3):
            block = around[Site(stack, "block", layer)]
            parts = [around[Site(stack, kind, layer)] for kind in kinds]
            if not dict(plan.stacks[stack].headless):  # else a recurrence stands before the first site
                assert torch.equal(parts[0][0], block[0])
            if family == "gpt_neox":
                assert apart(block[0] + sum(after - before for before, after in parts), block[1]) < 1e-5
                continue
            assert apart(parts[-1][1], block[1]) < 1e-5
            for (_, one), (other, _) in pairwise(parts):
                assert apart(one, other) < 1e-5
            if layer:
                assert torch.equal(around[Site(stack, "block", layer - 1)][1], block[0])


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_silenced_sublayer_leaves_the_stream_as_it_was(family):
    model, batch = toy(family), toy_batch(family)
    unit = anatomy(model).units((Grain.ATTENTION,))[1]
    with mask(model, [unit]), watch(model, [unit.site]) as stream, torch.no_grad():
        model(**batch)
        before, after = stream.around(unit.site)
    assert torch.equal(before, after)


def test_decoder_pads_are_told_by_mask_then_labels_then_inputs():
    model, batch = toy("marian"), toy_batch("marian")
    labels = batch.pop("labels")
    ids = model.prepare_decoder_input_ids_from_labels(labels)
    ids[1, 4:] = 0
    wanted = {
        "decoder_attention_mask": 3 * 7 - 1,
        "labels": int((labels != -100).sum()),
        "ids": int((ids != 0).sum()) + 3,
    }
    own_mask = torch.ones_like(ids)
    own_mask[2, 6] = 0
    cases = {
        "decoder_attention_mask": {"decoder_input_ids": ids, "decoder_attention_mask": own_mask, "labels": labels},
        "labels": {"labels": labels},
        "ids": {"decoder_input_ids": ids},
    }
    for name, extra in cases.items():
        with watch(model) as stream, torch.no_grad():
            model(**batch, **extra)
            assert len(stream.around(Site("decoder", "cross", 0))[0]) == wanted[name]


def test_pads_are_left_out_when_inputs_come_without_names():
    model, batch = toy("llama"), toy_batch("llama")
    site = Site("decoder", "mlp", 2)
    with watch(model) as stream, torch.no_grad():
        model(batch["input_ids"], batch["attention_mask"])
        assert len(stream.around(site)[0]) == int(batch["attention_mask"].sum())


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_sites_that_have_gone_or_were_not_reached_are_named(family):
    model, batch = toy(family), toy_batch(family)
    unit = attention_units(model, stack="encoder" if family != "llama" else "decoder")[0]
    small = removed(model, [unit])
    with watch(small) as stream:
        with pytest.raises(UserError, match="run a forward pass first"):
            stream.around(unit.site)
        logits(small, batch)
        with pytest.raises(UserError, match=str(unit.site)):
            stream.around(unit.site)


@pytest.mark.parametrize("family", GENERATING)
def test_watching_a_generation_sees_its_last_step(family):
    model = toy(family)
    prompt = {name: value for name, value in toy_batch(family).items() if name != "labels"}
    site = Site("decoder", "cross" if family == "marian_ssru" else "self", 0)
    with watch(model, [site]) as stream:
        model.generate(**prompt, max_new_tokens=3, min_new_tokens=3, do_sample=False, pad_token_id=0)
        assert stream.around(site)[0].shape == (3, 32)
