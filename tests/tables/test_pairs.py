"""Two rows are compared on the same resamples: what they share cancels, and the ranks agree with the differences."""

from __future__ import annotations

import numpy as np
import pytest

from headroom.results.resamples import pair_rows


def member(method: str, area: float) -> dict[str, object]:
    return {
        "model": "m",
        "task": "t",
        "setting": "as is",
        "quality": "task",
        "group": "attention",
        "method": method,
        "area": area,
    }


def test_noise_that_both_share_cancels():
    noise = np.random.default_rng(0).normal(0, 0.1, 500)
    draws = np.stack([0.70 + noise, 0.68 + noise])
    (row,) = pair_rows([member("a", 0.70), member("b", 0.68)], draws)
    assert (row.method, row.other) == ("a", "b")
    assert row.difference_low == pytest.approx(0.02) and row.difference_high == pytest.approx(0.02)


def test_noise_of_their_own_widens_the_interval():
    draws = np.random.default_rng(0).normal([[0.70], [0.68]], 0.1, (2, 500))
    (row,) = pair_rows([member("a", 0.70), member("b", 0.68)], draws)
    assert row.difference_low < 0 < row.difference_high


def test_every_two_rows_meet_once_the_better_one_first():
    members = [member(name, area) for name, area in (("a", 0.9), ("b", 0.8), ("c", 0.7))]
    rows = list(pair_rows(members, np.tile([[0.9], [0.8], [0.7]], 100)))
    assert [(row.method, row.other) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(row.difference > 0 for row in rows)


def test_without_per_example_statistics_there_is_no_row():
    assert list(pair_rows([member("a", 0.9), member("b", 0.8)], None)) == []
