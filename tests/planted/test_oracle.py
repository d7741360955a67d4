"""The oracle finds what nothing beats, and many masks in one pass are the masks one by one."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from headroom.api import Grain
from headroom.attention import anatomy, mask, toy_batch
from headroom.data.batches import per_example_loss
from headroom.pipeline.reach import resolved
from headroom.planted import planted, with_own_answers
from headroom.planted.oracle import Oracle, losses, oracle, saving


def world(family, grain=Grain.HEAD, examples=6):
    truth = planted(family, [grain], seed=0)
    plan = anatomy(truth.model)
    batch = with_own_answers(truth.model, toy_batch(family, examples))
    return truth, plan.units(resolved([grain], plan.info)), batch


@pytest.mark.parametrize("grain", [Grain.HEAD, Grain.ATTENTION, Grain.MLP, Grain.BLOCK])
@pytest.mark.parametrize("family", ["bert", "llama", "m2m_100", "vit", "t5"])
def test_many_masks_in_one_pass_are_the_masks_one_by_one(family, grain):
    truth, units, batch = world(family, grain)
    drops = [frozenset(units[:size]) for size in range(len(units))][:7]
    together = losses(truth.model, units, batch, drops)
    for drop, loss in zip(drops, together, strict=True):
        with torch.no_grad(), mask(truth.model, drop):
            assert loss == pytest.approx(float(per_example_loss(truth.model, batch).mean()), abs=1e-4)


def test_nothing_beats_the_exhaustive_oracle():
    truth, units, batch = world("m2m_100", Grain.ATTENTION)
    found = oracle(truth.model, units, batch)
    assert found.exhaustive and found.tried == 2 ** len(units)
    drops = [frozenset(drop) for drop in combinations(units, 4)]
    assert found.best[4][0] == pytest.approx(min(losses(truth.model, units, batch, drops)), abs=1e-6)
    assert all(found.distance(4, loss) > -1e-5 for loss in losses(truth.model, units, batch, drops))


def test_the_oracle_removes_the_dead_first_and_keeps_the_vital():
    truth, units, batch = world("bert")
    found = oracle(truth.model, units, batch)
    assert found.best[len(truth.dead)][0] <= found.dense + 1e-6
    assert found.distance(len(truth.dead), found.dense) >= -1e-6


def test_the_beam_comes_close_to_trying_everything():
    truth, units, batch = world("llama", Grain.ATTENTION)
    full, beam = oracle(truth.model, units, batch), oracle(truth.model, units, batch, largest=0)
    assert not beam.exhaustive and beam.tried < full.tried + 1
    for size, (loss, _) in beam.best.items():
        assert loss >= full.best[size][0] - 1e-5, "a beam can only miss"
        assert full.distance(size, loss) < 0.05


def test_a_distance_is_a_share_of_the_way_from_dense_to_floor():
    found = Oracle({0: (1.0, frozenset()), 1: (1.5, frozenset()), 2: (3.0, frozenset())}, exhaustive=True, tried=4)
    assert found.distance(1, 2.0) == 0.25
    with pytest.raises(ValueError, match="nothing is lost at the floor"):
        Oracle({0: (1.0, frozenset()), 1: (0.9, frozenset())}, exhaustive=True, tried=2).distance(1, 0.9)


def test_sharing_a_pass_is_cheaper_than_one_mask_at_a_time():
    truth, units, batch = world("bert", examples=4)
    measured = saving(truth.model, units, batch, sets=128)
    assert measured.sets == 128 and measured.ratio > 1.5, measured
