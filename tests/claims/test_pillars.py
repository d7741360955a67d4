"""The claims about grouped heads on made-up records."""

from __future__ import annotations

import pytest
from constructed import cell, evidence, find, point, reason

WHOLE = {"training": "scratch", "vote": "group", "scale": "paper", "modules": "paper", "alpha": 0.5, "beta": 0.5}


def grouped(kept: dict[int, float], seeds: int = 3, name: str = "ght", **changed):
    """Groups of 8 heads to retained quality."""
    points = [
        point(
            value, 1 - count / 8, 8, natural=f"{count} group{'s' * (count > 1)}", setting="recovered", seed=seed,
            plan=[f"head:encoder.self.0.{head}" for head in range(8 - count)],
        )
        for seed in range(seeds)
        for count, value in kept.items()
    ]  # fmt: skip
    return cell("voting_to_stay", points, parameters=WHOLE | changed, method=name, track="trained", natural=True)


@pytest.mark.parametrize(("kept", "verdict"), [(1.03, "holds"), (1.0, "undecided"), (0.98, "does not hold")])
def test_constraint_alone_helps(kept, verdict):
    found = find("G1", evidence(grouped({8: kept})))
    assert found.verdict == verdict and found.figure.value == pytest.approx(100 * (kept - 1))


def test_constraint_alone_needs_a_point_that_removes_nothing_and_three_seeds():
    assert "as many groups as heads" in reason("G1", evidence(grouped({2: 0.9})))
    assert "1 of the 3 seeds" in reason("G1", evidence(grouped({8: 0.9}, seeds=1)))


@pytest.mark.parametrize(("full", "verdict"), [(0.95, "holds"), (0.91, "undecided"), (0.905, "does not hold")])
def test_whole_method_beats_its_parts(full, verdict):
    free = grouped({2: 0.9, 4: 0.99}, name="free", alpha=0.0, beta=0.0)
    posthoc = grouped({2: 0.6, 4: 0.7}, name="posthoc", training="posthoc")
    found = find("G2", evidence(grouped({2: full, 4: 0.5}), free, posthoc))
    assert found.verdict == verdict and "free, 2 groups" in found.reason


def test_without_ablations_nothing_is_compared():
    assert "no ablation" in reason("G2", evidence(grouped({2: 0.9})))


@pytest.mark.parametrize(("middle", "verdict"), [(0.9, "holds"), (0.8, "undecided"), (0.7, "does not hold")])
def test_constraint_has_an_optimum(middle, verdict):
    kept = {0.1: 0.8, 0.5: middle, 0.9: 0.75}
    cells = [grouped({2: value}, name=f"ght-{alpha}", alpha=alpha) for alpha, value in kept.items()]
    assert find("G3", evidence(*cells)).verdict == verdict
    assert "three values of alpha" in reason("G3", evidence(*cells[:2]))


@pytest.mark.parametrize(("middle", "verdict"), [(1.05, "holds"), (1.0, "undecided"), (0.9, "does not hold")])
def test_groups_have_an_optimum(middle, verdict):
    assert find("G4", evidence(grouped({1: 0.5, 4: middle, 8: 1.0}))).verdict == verdict
    assert "and between" in reason("G4", evidence(grouped({1: 0.5, 4: middle})))
