"""A row says what its examples are enough for: to tell methods apart, and to certify that a loss is small."""

from __future__ import annotations

import numpy as np
import pytest

from headroom.results.curves import Curve, Step
from headroom.results.power import can_go, visible
from headroom.results.resamples import Draws


def step(share: float, kept: float, half: float) -> Step:
    ends = kept - half, kept + half
    return Step(str(share), "", share, share, share / 3, 0.0, kept, *ends, *ends, {0: kept})


def own(*steps: tuple[float, float, float]) -> Curve:
    return Curve("attention", (step(0.0, 1.0, 0.0), *(step(*one) for one in steps)))


def test_what_can_go_has_a_figure_as_measured_and_one_that_the_interval_certifies():
    found = can_go(own((0.25, 0.999, 0.003), (0.5, 0.995, 0.02), (0.75, 0.6, 0.02)), 0.01)
    assert found == {"removable_1": 0.25, "measured_1": 0.5, "certifiable_1": True}


def test_both_figures_stop_at_the_first_share_that_loses_too_much():
    found = can_go(own((0.25, 0.97, 0.001), (0.5, 1.0, 0.001)), 0.01)
    assert (found["removable_1"], found["measured_1"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("kept", "half", "enough"), [(0.995, 0.02, False), (0.98, 0.02, False), (0.9, 0.02, True), (0.999, 0.002, True)]
)
def test_a_certified_zero_is_an_answer_only_where_the_first_step_surely_loses_more(kept, half, enough):
    assert can_go(own((0.25, kept, half)), 0.01)["certifiable_1"] is enough


def test_a_step_that_removes_nothing_certifies_nothing():
    assert can_go(own((0.0, 1.0, 0.0), (0.25, 0.99, 0.03)), 0.01)["certifiable_1"] is False


def members(*halves: float) -> list[dict[str, float]]:
    return [{"area_low": 0.5 - h, "area_high": 0.5 + h, "lost_25_error": h, "lost_50_error": h} for h in halves]


def test_noise_that_two_rows_share_hides_no_difference_between_them():
    noise = np.random.default_rng(0).normal(0, 0.05, 2000)
    apart = np.random.default_rng(1).normal(0, 0.01, 2000)
    drawn = np.stack([noise, noise + apart])
    found = visible(members(0.1, 0.1), Draws(drawn, {0.25: drawn, 0.5: drawn}))
    assert found["visible_area"] == found["visible_25"] == pytest.approx(1.96 * 0.01, rel=0.05)


def test_rows_with_the_same_plans_or_without_a_point_there_say_nothing_of_what_could_be_seen():
    one, other = np.random.default_rng(0).normal(0, 0.01, (2, 2000))
    short = np.full_like(one, np.nan)
    found = visible(
        members(0.1, 0.1, 0.1),
        Draws(np.stack([one, one, other]), {0.25: np.stack([one, one, short])} | {0.5: np.stack([one, short, other])}),
    )
    alone = visible(members(0.1, 0.1), Draws(np.stack([one, other]), {0.25: one[None], 0.5: np.stack([one, other])}))
    assert found["visible_area"] == alone["visible_area"] == found["visible_50"] and found["visible_25"] is None


def test_independent_intervals_add_as_squares_and_the_typical_pair_counts():
    found = visible([*members(0.03, 0.04), {**members(0.0)[0], "lost_50_error": None}], None)
    assert found["visible_area"] == pytest.approx(0.04) and found["visible_50"] == pytest.approx(0.05)


def test_one_row_alone_has_nothing_to_be_told_from():
    assert set(visible(members(0.1), None).values()) == {None}


def test_every_ranked_row_of_the_tables_says_so(table):
    ranked = [row for row in table("leaderboard") if row["ranked"] == "true"]
    for row in ranked:
        for loss in ("1", "5"):
            assert float(row[f"measured_{loss}"]) >= float(row[f"removable_{loss}"])
            assert row[f"certifiable_{loss}"] == "true" or float(row[f"removable_{loss}"]) == 0
    groups = {(row["model"], row["task"], row["setting"], row["group"]): set() for row in ranked}
    for row in ranked:
        groups[row["model"], row["task"], row["setting"], row["group"]].add(row["visible_area"])
    assert all(len(found) == 1 for found in groups.values()) and any("" not in found for found in groups.values())
    assert {row["certifiable_1"] for row in ranked} == {"true", "false"}
