"""Methods that look at no scores: by depth, the middle, at random."""

import pytest
from methods_helpers import ToyContext, method, order, plans

from headroom.api import Grain
from headroom.attention import toy


def layers(family, name, model=None, **params):
    return [unit.site.layer for unit in order(family, name, model, **params)]


def bert(blocks):
    return toy("bert", num_hidden_layers=blocks)


@pytest.mark.parametrize(
    ("which", "keep_last", "wanted"),
    [
        ("deepest", False, [5, 4, 3, 2, 1, 0]),
        ("deepest", True, [4, 3, 2, 1, 0, 5]),
        ("shallowest", False, [0, 1, 2, 3, 4, 5]),
        ("alternate", False, [5, 3, 1, 4, 2, 0]),
        ("alternate", True, [3, 1, 4, 2, 0, 5]),
    ],
)
@pytest.mark.parametrize("remove", ["attention", "mlp", "block"])
def test_layers_go_by_their_depth(which, keep_last, wanted, remove):
    assert layers("bert", "by-depth", bert(6), order=which, keep_last=keep_last, remove=remove) == wanted


def test_the_stacks_of_a_pair_are_peeled_from_their_ends_together():
    model = toy("marian", encoder_layers=4, decoder_layers=2)
    first = order("marian", "by-depth", model, order="deepest", remove="block")
    assert [str(unit.site) for unit in first[:3]] == ["decoder.block.1", "encoder.block.3", "encoder.block.2"]


@pytest.mark.parametrize(("blocks", "start", "middle"), [(6, 0, [1, 2, 3, 4, 5]), (6, 1, [2, 3, 4]), (6, 2, [3])])
def test_skip_leaves_the_first_s_plus_one_and_the_last_s(blocks, start, middle):
    """The released rule: of T blocks run l <= s and l >= T - s."""
    run = {layer for layer in range(blocks) if layer <= start or layer >= blocks - start}
    assert sorted(set(range(blocks)) - run) == middle
    (plan,) = plans("bert", "painters-skip", [len(middle) / blocks], bert(blocks))
    assert sorted(unit.site.layer for unit in plan.drop) == middle


def test_skip_of_the_published_example_removes_blocks_15_to_17():
    (plan,) = plans("bert", "painters-skip", [3 / 32], bert(32))
    assert sorted(unit.site.layer for unit in plan.drop) == [15, 16, 17]


def test_skip_is_nested_and_keeps_a_middle_for_every_count():
    found = layers("bert", "painters-skip", bert(7))
    assert sorted(found) == list(range(7)) and found[0] == 3 and found[-1] == 0


@pytest.mark.parametrize("remove", ["head", "attention", "mlp", "block", "joint"])
def test_random_orders_are_nested_and_differ_by_seed(remove):
    found, drawn = method("random-heads", remove=remove), []
    for seed in (0, 0, 1):
        ctx = ToyContext("marian", found, seed=seed)
        drawn.append([plan.drop for plan in found.plans(ctx, [0.25, 0.5, 1.0])])
        assert drawn[-1][0] < drawn[-1][1] < drawn[-1][2] == set(ctx.units)
    assert drawn[0] == drawn[1] != drawn[2]


def test_random_joint_draws_attention_and_mlps_from_one_hat():
    grains = {unit.grain for plan in plans("vit", "random-heads", [1.0], remove="joint") for unit in plan.drop}
    assert grains == {Grain.ATTENTION, Grain.MLP}
