"""A pruned model stays a model of the library: recorded outputs, copies, compilation."""

import copy

import pytest
import torch
from attention_helpers import GENERATING, GRAINS, apart, attention_units, block_units, logits, random_units, removed

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy, removed_units, toy, toy_batch


def cut(model):
    stack = next(iter(anatomy(model).stacks))
    units = random_units(model, (Grain.HEAD,), 0.4, 4) + attention_units(model, stack=stack)[:1]
    return removed(model, [*units, anatomy(model).units((Grain.MLP,))[-1]])


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_hidden_states_keep_one_entry_per_block_that_is_left(family):
    model, batch = toy(family), toy_batch(family)
    stack = next(iter(anatomy(model).stacks))
    small = removed(cut(model), block_units(model, stack)[1:2])
    with torch.no_grad():
        output = small(**batch, output_hidden_states=True)
    states = output.get("hidden_states") or output.get("encoder_hidden_states")
    assert len(states) == len(block_units(small, stack)) + 1


@pytest.mark.parametrize("family", ["bert", "vit", "llama", "gemma2", "t5", "marian"])
def test_eager_attention_maps_have_the_heads_that_are_left(family):
    model, batch = toy(family), toy_batch(family)
    if family != "gemma2":
        model.set_attn_implementation("eager")
    heads = random_units(model, (Grain.HEAD,), 0.4, 4)
    small = removed(model, heads)
    with torch.no_grad():
        output = small(**batch, output_attentions=True)
    maps = output.get("attentions") or output.get("encoder_attentions")
    stack = next(iter(anatomy(model).stacks))
    left = [
        len(place.heads) for site, place in anatomy(small).places.items() if (site.stack, site.kind) == (stack, "self")
    ]
    assert [scores.shape[1] for scores in maps] == left


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_copy_of_a_pruned_model_is_a_model_of_its_own(family):
    model, batch = cut(toy(family)), toy_batch(family)
    twin = copy.deepcopy(model)
    assert torch.equal(logits(twin, batch), logits(model, batch))
    before = removed_units(model)
    smaller = removed(twin, [anatomy(twin).units((Grain.BLOCK,))[0]])
    assert removed_units(model) == before == removed_units(twin) < removed_units(smaller)
    assert anatomy(twin).units(GRAINS) == anatomy(model).units(GRAINS)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "gpt2", "marian", "t5", "llama", "gemma3"])
def test_pruned_models_compile_into_one_graph(family):
    model, batch = cut(toy(family)), toy_batch(family)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    if family in GENERATING and model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.arange(2, 9).repeat(3, 1)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True)
    assert apart(logits(compiled, inputs), logits(model, inputs)) < 1e-4
