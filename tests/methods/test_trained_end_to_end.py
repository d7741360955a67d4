"""Methods that train, through the pipeline: settings, weights in the plan, steps spent, and a whole record."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_file = Path(__file__).parents[1] / "pipeline" / "conftest.py"
_spec = importlib.util.spec_from_file_location("pipeline_worlds", _file)
_worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worlds)
prepared, shared = _worlds.prepared, _worlds.shared

AT_TARGETS = {
    "voita-topk": "{method: voita-l0, points: topk, share: 0.5}",
    "differentiable-subset": "{cooldown: 5}",
}
NATURAL = {
    "voita-l0": ("{lambdas: [0.01]}", ["lambda=0.01"]),
    "ght-finetune": ("{method: voting-to-stay, groups: [1]}", ["1 group"]),
    "ght-scratch": ("{method: voting-to-stay, training: scratch, groups: [1]}", ["1 group"]),
    "confidence-lottery": ("{shares: [0.5], examples: 16}", ["50% of heads"]),
}
FROM_SCRATCH = ("ght-scratch", "confidence-lottery")
POSTHOC = "{method: voting-to-stay, training: posthoc, groups: [2]}"


@pytest.fixture(scope="module")
def records(shared):
    """One run of all entries, as is and recovered."""
    with shared() as world:
        world.recover()
        for name, (entry, _) in NATURAL.items():
            world.use(name, entry)
        for name, entry in (AT_TARGETS | {"pillars-posthoc": POSTHOC}).items():
            world.use(name, entry)
        found = world.measure()
        assert all(record.status == "ok" for record in found.values()), [record.reason for record in found.values()]
        assert all(point.logit_difference < 1e-4 for record in found.values() for point in record.points)
        yield found


@pytest.mark.parametrize("name", AT_TARGETS)
def test_trained_plans_at_targets_are_recovered_points_with_weights(records, name):
    record = records[name]
    assert [(point.target, point.setting, point.updates) for point in record.points] == [
        (target, "recovered", 10) for target in (0.25, 0.5, 1.0)
    ]
    assert all(point.weights and point.units_removed == point.target * point.units for point in record.points)
    assert (record.track, record.natural) == ("trained", False)


@pytest.mark.parametrize("name", NATURAL)
def test_natural_points_are_recovered_and_the_floor_ends_them(records, name):
    record, names = records[name], NATURAL[name][1]
    own = [point for point in record.points if point.natural and point.weights]
    assert [(point.natural, point.setting) for point in own] == [(natural, "recovered") for natural in names]
    # from scratch, the steps that made the dense model come on top
    assert {point.updates for point in own} == {70 if name in FROM_SCRATCH else 10}
    floor = [point for point in record.points if point.natural == "floor"]
    assert {point.setting for point in floor} == {"recovered"} and not any(point.weights for point in floor)


def test_voitas_point_before_binarising_is_outside_the_series(records):
    (soft,) = (point for point in records["voita-l0"].points if point.label)
    assert (soft.label, soft.setting, soft.updates) == ("soft:lambda=0.01", "recovered", 10)
    assert "undecided" in soft.note


def test_groups_without_training_are_points_as_they_are_and_recovered(records):
    record = records["pillars-posthoc"]
    own = {point.setting: point for point in record.points if point.natural == "2 groups"}
    assert set(own) == {"as is", "recovered"} and record.track == "forward"
    assert (own["as is"].updates, own["recovered"].updates) == (0, 10)
    assert own["as is"].units_removed == 4 and not own["as is"].weights
