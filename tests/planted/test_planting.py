"""A planted model is what it says: the dead change nothing, the vital cost a lot, twins are equal."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.api import Grain
from headroom.attention import FAMILY_NAMES, anatomy, mask, toy, toy_batch
from headroom.data.batches import per_example_loss
from headroom.evaluate.agreement import logits, real
from headroom.planted import (
    dead_among_first,
    first_vital,
    plant,
    planted,
    twins_before_vital,
    vital_before_dead,
    with_own_answers,
)

GRAINS = (Grain.HEAD, Grain.ATTENTION, Grain.MLP, Grain.BLOCK)
FEW = ("bert", "llama", "m2m_100", "vit")
# one of each kind of family; the others take minutes
SEEN = ("bert", "vit", "llama", "gpt2", "gemma3", "marian", "t5")
EVERY = [name if name in SEEN else pytest.param(name, marks=pytest.mark.slow) for name in FAMILY_NAMES]


@torch.no_grad()
def effects(model, batch, units):
    """For each unit the largest change of a logit, in standard deviations, and the rise of the loss, in nats."""
    dense, loss = logits(model, batch), per_example_loss(model, batch).mean()
    where, found = real(model, batch), {}
    for unit in units:
        with mask(model, [unit]):
            moved = (logits(model, batch) - dense)[where].abs().max() / dense[where].std()
            found[unit] = (float(moved), float(per_example_loss(model, batch).mean() - loss))
    return found


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("family", EVERY)
def test_silencing_the_dead_changes_nothing_and_the_vital_cost_a_lot(family, grain):
    truth = planted(family, [grain], seed=1)
    batch = with_own_answers(truth.model, toy_batch(family, 16))
    found = effects(truth.model, batch, truth.dead | truth.vital)
    assert truth.dead and truth.vital
    assert max(found[unit][0] for unit in truth.dead) < 1e-4
    assert min(found[unit][0] for unit in truth.vital) > 0.5
    assert min(found[unit][1] for unit in truth.vital) > 100 * max(found[unit][1] for unit in truth.dead)


@pytest.mark.parametrize("way", ["all", "out", "value"])
@pytest.mark.parametrize("family", FEW)
def test_a_head_is_dead_in_each_of_the_three_ways(family, way):
    truth = planted(family, [Grain.HEAD], seed=2, way=way)
    found = effects(truth.model, toy_batch(family), truth.dead)
    assert max(moved for moved, _ in found.values()) < 1e-6


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_silencing_either_of_two_equals_gives_the_same_model(family):
    truth = planted(family, [Grain.HEAD], seed=3)
    assert truth.twins
    with mask(truth.model, truth.twins[:1]):
        without_first = logits(truth.model, toy_batch(family))
    with mask(truth.model, truth.twins[1:]):
        without_second = logits(truth.model, toy_batch(family))
    where = real(truth.model, toy_batch(family))
    assert torch.allclose(without_first[where], without_second[where], atol=1e-4)


@lru_cache
def pool(family, grain):
    plan = anatomy(toy(family))
    return plan.units([Grain.KV_GROUP if grain is Grain.HEAD and plan.grouped else grain])


@st.composite
def plantings(draw):
    """A family, a grain, and disjoint sets of units to be dead and vital."""
    family, grain = draw(st.sampled_from(FEW)), draw(st.sampled_from(GRAINS))
    order = draw(st.permutations(pool(family, grain)))
    dead = draw(st.integers(1, max(1, len(order) // 3)))
    vital = draw(st.integers(1, max(1, len(order) // 4)))
    return family, frozenset(order[:dead]), frozenset(order[dead : dead + vital])


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plantings())
def test_any_planting_that_is_drawn_comes_true(planting):
    family, dead, vital = planting
    model = toy(family)
    plant(model, dead, vital)
    batch = toy_batch(family)
    found = effects(model, batch, dead | vital)
    assert max(found[unit][0] for unit in dead) < 1e-4, "a dead unit"
    assert min(found[unit][0] for unit in vital) > 1e-2, "a vital unit"
    with mask(model, dead):
        together = logits(model, batch)
    assert torch.allclose(together, logits(model, batch), atol=1e-3), "all dead units together"


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_model_is_right_by_its_own_answers(family):
    model = toy(family)
    batch = with_own_answers(model, toy_batch(family, 8))
    others = {**batch, "labels": torch.where(batch["labels"] >= 0, (batch["labels"] + 1) % 3, batch["labels"])}
    with torch.no_grad():
        own = per_example_loss(model, batch)
        if not model.config.is_encoder_decoder:  # other labels would be another input there
            assert (own < per_example_loss(model, others)).all()
        assert (own < torch.tensor(float(model.config.num_labels or 99)).clamp_min(99).log()).all()


def test_figures_of_a_planting_worked_by_hand():
    truth = planted("bert", [Grain.HEAD], seed=0)
    (dead_one, *_), (vital_one, *_) = sorted(truth.dead), sorted(truth.vital)
    everything = frozenset(anatomy(truth.model).units([Grain.HEAD]))
    good = [truth.dead, everything - truth.vital, everything]
    assert (vital_before_dead(good, truth), dead_among_first(good, truth)) == ([], 1.0)
    assert first_vital(good, truth, len(everything)) == 1.0
    bad = [frozenset({dead_one, vital_one}), everything]
    assert (vital_before_dead(bad, truth), dead_among_first(bad, truth)) == ([bad[0]], 0.5)
    assert first_vital(bad, truth, len(everything)) == 2 / len(everything)
    assert dead_among_first([everything], truth) is None
    near = frozenset(unit for unit in truth.vital if unit.site == truth.twins[0].site)
    assert twins_before_vital([near], truth) == [near]
    assert twins_before_vital([near | {truth.twins[1]}], truth) == []
