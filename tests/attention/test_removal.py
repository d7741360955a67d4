"""Removal is what gates of zero are, for every grain and family."""

import copy
import random

import pytest
import torch
from attention_helpers import (
    GRAINS,
    GROUPED,
    PAIRS,
    apart,
    attention_units,
    block_units,
    logits,
    parameters,
    random_units,
    removed,
)

from headroom.api import Grain, Site, Unit
from headroom.attention import FAMILIES, FAMILY_NAMES, anatomy, mask, remove, removed_units, toy, toy_batch
from headroom.attention.own import class_named
from headroom.errors import UserError

TOLERANCE = 1e-5
# one of each kind of family; the others take minutes
SEEN = ("bert", "vit", "llama", "gpt2", "gemma3", "marian", "t5")
EVERY = [name if name in SEEN else pytest.param(name, marks=pytest.mark.slow) for name in FAMILY_NAMES]


@pytest.mark.parametrize("family", EVERY)
def test_every_unit_alone_removed_equals_masked_and_frees_the_parameters_foretold(family):
    model, batch = toy(family), toy_batch(family)
    plan, dense = anatomy(model), logits(model, batch)
    for unit in plan.units(plan.info.grains):
        with mask(model, [unit]):
            masked = logits(model, batch)
        small = removed(model, [unit])
        assert apart(logits(small, batch), masked) < TOLERANCE, unit
        assert apart(masked, dense) > 1e-3, f"{unit} does nothing, so this test would see nothing"
        assert parameters(model) - parameters(small) == plan.parameters(unit), unit


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_random_uneven_heads_removed_equal_masked(family, share):
    model, batch = toy(family), toy_batch(family)
    units = random_units(model, (Grain.HEAD,), share, seed=int(share * 10))
    with mask(model, units):
        masked = logits(model, batch)
    assert apart(logits(removed(model, units), batch), masked) < TOLERANCE


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_mixed_grains_in_one_call_removed_equal_masked(family):
    model, batch = toy(family), toy_batch(family)
    for seed in range(3):
        draw = random.Random(seed)
        plan = anatomy(model)
        units = [unit for grain in GRAINS for unit in draw.sample(plan.units((grain,)), 1 + (grain is Grain.HEAD))]
        with mask(model, units):
            masked = logits(model, batch)
        assert apart(logits(removed(model, units), batch), masked) < TOLERANCE, units


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_all_heads_gone_keeps_the_output_bias(family):
    model, batch = toy(family), toy_batch(family)
    units = anatomy(model).units((Grain.HEAD,))
    with mask(model, units):
        masked = logits(model, batch)
    small = removed(model, units)
    assert apart(logits(small, batch), masked) < TOLERANCE
    assert not anatomy(small).units((Grain.HEAD, Grain.KV_GROUP))
    assert len(anatomy(small).units((Grain.ATTENTION,))) == len(anatomy(model).units((Grain.ATTENTION,)))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_all_heads_gone_and_sublayer_gone_differ_where_there_is_a_bias_or_a_norm_behind(family):
    model, batch = toy(family), toy_batch(family)
    heads = removed(model, anatomy(model).units((Grain.HEAD,)))
    sublayers = removed(model, anatomy(model).units((Grain.ATTENTION,)))
    difference = apart(logits(heads, batch), logits(sublayers, batch))
    # Gemma 2 and 3 have a norm behind the attention, but it maps zero to zero
    same = family in ("t5", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3")
    assert difference < TOLERANCE if same else difference > 1e-2


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_two_removals_in_turn_equal_one(family):
    model, batch = toy(family), toy_batch(family)
    plan, draw = anatomy(model), random.Random(3)
    heads = draw.sample([unit for unit in plan.units((Grain.HEAD,)) if unit.site.layer == 0], 3)
    first = heads[:2] + [block_units(model, stack)[1] for stack in plan.stacks]
    second = heads[2:] + [unit for unit in plan.units((Grain.ATTENTION, Grain.MLP)) if unit.site.layer == 2]
    once, twice = removed(model, first + second), removed(removed(model, first), second)
    assert torch.equal(logits(once, batch), logits(twice, batch))
    assert removed_units(once) == removed_units(twice) == frozenset(first + second)
    assert anatomy(once).units(GRAINS) == anatomy(twice).units(GRAINS)


@pytest.mark.parametrize("family", GROUPED)
@pytest.mark.parametrize(
    "gone", [(1, 2, 3, 4, 5, 6, 7), (4, 5, 6, 7), (0, 5, 6), (0, 1, 2), (3,)], ids=lambda gone: f"without{gone}"
)
def test_kv_groups_of_all_shapes_removed_equal_masked(family, gone):
    model, batch = toy(family), toy_batch(family)
    units = [Unit(Site("decoder", "self", layer), Grain.HEAD, head) for layer in (0, 2) for head in gone]
    with mask(model, units):
        masked = logits(model, batch)
    small = removed(model, units)
    assert apart(logits(small, batch), masked) < TOLERANCE
    groups = {head // 4 for head in range(8) if head not in gone}
    assert anatomy(small).info.groups[Site("decoder", "self", 0)] == len(groups)


def test_removed_heads_in_float64_equal_masked_ones_to_the_last_digits():
    for family in ("bert", "gpt2", "marian", "vit"):
        model, batch = toy(family).double(), toy_batch(family)
        batch = {name: value.double() if value.is_floating_point() else value for name, value in batch.items()}
        units = random_units(model, (Grain.HEAD,), 0.5, seed=0)
        with mask(model, units):
            masked = logits(model, batch)
        assert apart(logits(removed(model, units), batch), masked) < 1e-12


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_cross_attention_of_decoders_with_an_encoder_of_their_own_is_removed_too(family):
    changes = {"add_cross_attention": True} | ({"is_decoder": True} if family == "bert" else {})
    model = toy(family, **changes)
    batch = toy_batch(family) | {"encoder_hidden_states": torch.randn(3, 5, 32)}
    plan = anatomy(model)
    assert {unit.site.kind for unit in plan.units((Grain.HEAD,))} == {"self", "cross"}
    for units in ([plan.units((Grain.HEAD,))[0]], random_units(model, (Grain.HEAD,), 0.6, 1)):
        with mask(model, units):
            masked = logits(model, batch)
        assert apart(logits(removed(model, units), batch), masked) < TOLERANCE
    for unit in attention_units(model, "cross"):
        with mask(model, [unit]):
            masked = logits(model, batch)
        assert apart(logits(removed(model, [unit]), batch), masked) < TOLERANCE


def test_opt_with_the_norm_behind_is_removed_too():
    model, batch = toy("opt", do_layer_norm_before=False), toy_batch("opt")
    for unit in anatomy(model).units(GRAINS):
        with mask(model, [unit]):
            masked = logits(model, batch)
        assert apart(logits(removed(model, [unit]), batch), masked) < TOLERANCE


@pytest.mark.parametrize("parallel", [True, False])
def test_gpt_neox_with_either_residual_is_removed(parallel):
    model, batch = toy("gpt_neox", use_parallel_residual=parallel), toy_batch("gpt_neox")
    for unit in anatomy(model).units((Grain.ATTENTION, Grain.MLP)):
        with mask(model, [unit]):
            masked = logits(model, batch)
        assert apart(logits(removed(model, [unit]), batch), masked) < TOLERANCE


def test_t5_keeps_the_position_bias_of_the_other_blocks_when_block_0_loses_its_attention():
    model, batch = toy("t5"), toy_batch("t5")
    for stack in ("encoder", "decoder"):
        zeroed = copy.deepcopy(model)
        with torch.no_grad():
            getattr(zeroed, stack).block[0].layer[0].SelfAttention.o.weight.zero_()
        unit = Unit(Site(stack, "self", 0), Grain.ATTENTION)
        assert apart(logits(removed(model, [unit]), batch), logits(zeroed, batch)) < TOLERANCE


def test_t5_hands_the_position_table_on_through_blocks_that_lost_their_attention():
    model, batch = toy("t5"), toy_batch("t5")
    units = [Unit(Site("decoder", "block", 0), Grain.BLOCK), Unit(Site("decoder", "self", 1), Grain.ATTENTION)]
    with mask(model, units):
        masked = logits(model, batch)
    assert apart(logits(removed(model, units), batch), masked) < TOLERANCE
    assert apart(logits(removed(removed(model, units[1:]), units[:1]), batch), masked) < TOLERANCE


@pytest.mark.parametrize("family", ["bert", "llama", "marian", "t5"])
def test_a_unit_that_is_gone_or_never_was_is_refused_by_name(family):
    model = toy(family)
    plan = anatomy(model)
    head, block = plan.units((Grain.HEAD,))[0], plan.units((Grain.BLOCK,))[-1]
    small = removed(model, [head, block])
    inside = next(unit for unit in plan.units((Grain.HEAD,)) if unit.site.layer == block.site.layer)
    inside = Unit(Site(block.site.stack, "self", block.site.layer), Grain.HEAD, inside.index)
    for unit, words in (
        (head, "already been removed"),
        (inside, "already been removed"),
        (Unit(head.site, Grain.HEAD, 99), "does not exist"),
        (Unit(Site("decoder", "self", 77), Grain.ATTENTION), "does not exist"),
    ):
        before = logits(small, toy_batch(family))
        with pytest.raises(UserError, match=words) as error:
            remove(small, [anatomy(small).units((Grain.MLP,))[0], unit])
        assert str(unit) in str(error.value)
        assert torch.equal(logits(small, toy_batch(family)), before), "a refused removal must change nothing"


def test_policies_refuse_uneven_groups_and_take_even_ones():
    site = Site("decoder", "self", 1)
    model = toy("llama")
    with pytest.raises(UserError, match=r"even.*decoder\.self\.1"):
        removed(model, [Unit(site, Grain.HEAD, 0)], "even")
    with pytest.raises(UserError, match=r"groups.*decoder\.self\.1"):
        removed(model, [Unit(site, Grain.HEAD, 0), Unit(site, Grain.HEAD, 4)], "groups")
    with pytest.raises(UserError, match="Did you mean 'groups'"):
        removed(model, [], "group")
    removed(model, [Unit(site, Grain.HEAD, 0), Unit(site, Grain.HEAD, 4)], "even")
    removed(model, [Unit(site, Grain.KV_GROUP, 1)], "groups")
    removed(model, [Unit(site, Grain.KV_GROUP, 1)], "even")


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_the_last_block_of_a_stack_is_refused(family):
    model = toy(family)
    with pytest.raises(UserError, match="every block of the encoder"):
        remove(model, block_units(model, "encoder"))


def test_weights_that_stay_keep_requires_grad_and_the_config_its_head_counts():
    model = toy("bert")
    model.bert.encoder.layer[0].attention.self.query.weight.requires_grad_(False)
    remove(model, [Unit(Site("encoder", "self", 0), Grain.HEAD, 1)])
    attention = model.bert.encoder.layer[0].attention.self
    assert not attention.query.weight.requires_grad and attention.key.weight.requires_grad
    assert model.config.num_attention_heads == 4 and not getattr(model.config, "pruned_heads", None)


@pytest.mark.parametrize("family", ["bert", "gpt2", "marian", "t5", "llama"])
def test_a_pruned_model_trains(family):
    model, batch = toy(family), toy_batch(family)
    everything = anatomy(model)
    small = removed(model, [*random_units(model, (Grain.HEAD,), 0.5, 0), everything.units((Grain.MLP,))[0]]).train()
    small(**batch).loss.backward()
    idle = [name for name, parameter in small.named_parameters() if parameter.grad is None]
    assert not [name for name in idle if "norm" not in name and "embed_positions" not in name], idle


@pytest.mark.parametrize("family", PAIRS)
def test_encoder_and_decoder_blocks_have_units_of_their_own(family):
    model = toy(family)
    assert len(block_units(model, "encoder")) == len(block_units(model, "decoder")) == 3
    small = removed(model, block_units(model, "encoder")[:2] + block_units(model, "decoder")[1:2])
    assert [unit.site.layer for unit in block_units(small, "encoder")] == [2]
    assert [unit.site.layer for unit in block_units(small, "decoder")] == [0, 2]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_listed_class_is_cut_as_it_is_masked(family):
    config = toy(family.name).config
    config.num_labels = 2  # what question answering wants
    inputs = {name: value for name, value in toy_batch(family.name).items() if name != "labels"}
    for name in family.classes:
        torch.manual_seed(0)
        model = class_named(name)(copy.deepcopy(config)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(0.2 * torch.randn_like(parameter))
        pair = len(anatomy(model).stacks) == 2
        batch = inputs | ({"decoder_input_ids": torch.arange(2, 9).repeat(3, 1)} if pair else {})
        if "ForSequence" in name:
            batch = {key: value for key, value in batch.items() if key != "decoder_input_ids"} | sentences(family.name)
        units = random_units(model, (Grain.HEAD, Grain.ATTENTION, Grain.MLP), 0.3, 5)
        with mask(model, units), torch.no_grad():
            masked = model(**batch)[0]
        with torch.no_grad():
            assert apart(removed(model, units)(**batch)[0], masked) < TOLERANCE, name


def sentences(family):
    """Sequence classifiers of encoder-decoder models want the end mark in every sentence."""
    ids = toy_batch(family)["input_ids"].clone().clamp(min=2)
    ids[:, -1] = 1
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
