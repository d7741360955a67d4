"""A pass run again from some block upwards."""

import pytest
import torch
from attention_helpers import removed

from headroom.api import Grain, Site
from headroom.attention import FAMILY_NAMES, Replay, anatomy, mask, toy, toy_batch, watch

GRAINS = (Grain.HEAD, Grain.ATTENTION, Grain.MLP, Grain.BLOCK)


def logits(model, batch):
    with torch.inference_mode():
        return model(**batch).logits


def recorded(model, batch):
    replay = Replay(model)
    with replay.recorded():
        logits(model, batch)
    return replay


def modules(model):
    return [(name, id(module), len(module._forward_hooks)) for name, module in model.named_modules()]


def one_of_each(model):
    """The first and the last unit of every grain in every layer of every stack."""
    found = {}
    for unit in anatomy(model).units(GRAINS):
        found.setdefault((unit.grain, unit.site), []).append(unit)
    return [unit for units in found.values() for unit in {units[0], units[-1]}]


@pytest.mark.parametrize("gone", [None, Grain.MLP, Grain.BLOCK])
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_logits_from_a_replay_are_those_of_a_whole_pass(family, gone):
    model, batch = toy(family), toy_batch(family)
    silent = [unit for unit in anatomy(model).units((gone,) if gone else ()) if unit.site.layer == 1]
    with mask(model, silent):
        replay = recorded(model, batch)
        for unit in one_of_each(model)[:: 1 if gone is None else 3]:
            with mask(model, [unit]):
                whole = logits(model, batch)
                with replay.above(unit.site):
                    assert torch.equal(logits(model, batch), whole), unit


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_blocks_below_do_not_run_again(family):
    model, batch = toy(family), toy_batch(family)
    replay, plan, ran = recorded(model, batch), anatomy(model), []
    for site, place in plan.places.items():
        if site.kind == "block":
            place.block.register_forward_hook(lambda *_, site=site: ran.append(site))
    stack = "encoder" if family == "bert" else "decoder"
    with replay.above(Site(stack, "self", 1)):
        logits(model, batch)
    assert ran == [Site(stack, "block", 1), Site(stack, "block", 2)], "and no encoder below a decoder"


def test_a_change_in_an_encoder_reaches_the_whole_decoder():
    model, batch = toy("marian"), toy_batch("marian")
    replay = recorded(model, batch)
    unit = anatomy(model).units((Grain.BLOCK,))[-2]
    assert unit.site == Site("encoder", "block", 2)
    before = logits(model, batch)
    with mask(model, [unit]), replay.above(unit.site):
        assert not torch.equal(logits(model, batch), before)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_nothing_is_left_behind_after_an_exception(family):
    model, batch = toy(family), toy_batch(family)
    before, found = modules(model), logits(model, batch)
    replay = recorded(model, batch)
    assert modules(model) == before
    with pytest.raises(RuntimeError, match="aground"), replay.above(Site(sorted(anatomy(model).stacks)[0], "self", 2)):
        raise RuntimeError("ran aground")
    with pytest.raises(RuntimeError, match="aground"), Replay(model).recorded():
        raise RuntimeError("ran aground")
    assert modules(model) == before and torch.equal(logits(model, batch), found)


def test_a_model_that_lost_a_block_is_replayed_by_its_dense_numbering():
    model, batch = toy("llama"), toy_batch("llama")
    small = removed(model, [anatomy(model).units((Grain.BLOCK,))[1]])
    replay, last = recorded(small, batch), anatomy(small).units((Grain.MLP,))[-1]
    assert last.site.layer == 3
    with mask(small, [last]):
        whole = logits(small, batch)
        with replay.above(last.site):
            assert torch.equal(logits(small, batch), whole)


def test_the_stream_of_the_blocks_that_run_is_still_watched():
    model, batch = toy("opt"), toy_batch("opt")
    replay, last = recorded(model, batch), Site("decoder", "block", 2)
    with watch(model, [last]) as stream:
        logits(model, batch)
        whole = stream.around(last)[1]
        with replay.above(Site("decoder", "mlp", 1)):
            logits(model, batch)
        assert torch.equal(stream.around(last)[1], whole)
