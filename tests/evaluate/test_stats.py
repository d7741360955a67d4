"""Intervals, retained quality, areas and ranks."""

import subprocess
import sys

import numpy as np
import pytest

from headroom.results import stats
from headroom.results.aggregates import ratio
from headroom.results.stats import NoSkill


def right(count: int, share: float, seed: int = 0) -> np.ndarray:
    """Counts of a classifier that is right on a share of examples."""
    correct = np.random.default_rng(seed).random(count) < share
    return np.column_stack([correct, np.ones(count)]).astype(float)


def bits(per_byte: float, texts: int = 60, seed: int = 0) -> np.ndarray:
    """Counts of a language model over texts of different lengths."""
    sizes = np.random.default_rng(seed).integers(50, 500, texts).astype(float)
    return np.column_stack([per_byte * sizes, sizes])


def test_a_model_against_itself_differs_by_exactly_nothing():
    score = stats.task_score(right(200, 0.8), right(200, 0.8), "accuracy", 50.0)
    assert (score.difference, score.difference_low, score.difference_high) == (0.0, 0.0, 0.0)
    assert (score.retained, score.retained_low, score.retained_high) == (1.0, 1.0, 1.0)
    assert score.low < score.value < score.high


def test_a_resample_is_the_same_for_both_models_and_every_call():
    counts = right(50, 0.5)
    first = stats.resampled_sums(np.hstack([counts, counts]))
    np.testing.assert_array_equal(first[:, :2], first[:, 2:])
    np.testing.assert_array_equal(first, stats.resampled_sums(np.hstack([counts, counts])))
    assert (first[:, 1] == 50).all()


def test_paired_interval_is_narrower_than_independent_ones():
    dense = right(500, 0.8)
    removed = dense.copy()
    removed[:20, 0] = 0
    score = stats.task_score(removed, dense, "accuracy", 0.0)
    assert score.difference_high - score.difference_low < (score.high - score.low) / 2


def test_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        sample = right(150, 0.7, seed)
        score = stats.task_score(sample, right(150, 0.9, 0), "accuracy", 10.0, resamples=300, seed=seed)
        covered += score.low <= 70 <= score.high
    assert 180 <= covered <= 199


def test_retained_quality_counts_from_chance():
    dense, removed = np.array([[9.0, 10.0]]), np.array([[7.0, 10.0]])
    assert stats.task_score(removed, dense, "accuracy", 50.0).retained == pytest.approx(0.5)


def test_lower_is_better_has_its_signs_right():
    score = stats.task_score(bits(2.0), bits(1.7), "bits-per-byte", 2.9, "lower")
    assert score.difference == pytest.approx(0.3)
    assert score.retained == pytest.approx((2.9 - 2.0) / (2.9 - 1.7))
    assert score.retained_low <= score.retained <= score.retained_high < 1
    assert stats.task_score(bits(1.5), bits(1.7), "bits-per-byte", 2.9, "lower").retained > 1


def test_bits_per_byte_weighs_long_texts_more():
    counts = np.array([[100.0, 100.0], [900.0, 300.0]])
    assert float(ratio(counts.sum(axis=0))) == 2.5


@pytest.mark.parametrize(("chance", "better"), [(95.0, "higher"), (90.0, "higher"), (10.0, "lower")])
def test_a_dense_model_without_skill_is_refused(chance, better):
    dense = np.array([[9.0, 10.0]])
    with pytest.raises(NoSkill, match="chance"):
        stats.task_score(dense, dense, "accuracy", chance, better)


def test_counts_of_different_examples_are_refused():
    with pytest.raises(ValueError, match="different examples"):
        stats.task_score(right(10, 0.5), right(11, 0.5), "accuracy", 0.0)


def test_area_of_constant_one_is_one():
    assert stats.area([0.25, 0.5, 1.0], [1.0, 1.0, 1.0]) == 1.0
    assert stats.area([1.0, 0.5], [1.0, 1.0]) == 1.0


def test_area_of_a_straight_fall_is_a_half_and_below_chance_is_zero():
    assert stats.area([1.0], [0.0]) == 0.5
    assert stats.area([0.5, 1.0], [0.0, -3.0]) == 0.25
    assert stats.area([0.5], [1.0]) == 0.5  # beyond the last point nothing is known, and nothing counts


def test_removable_needs_all_smaller_shares_to_hold():
    shares, low = [0.1, 0.2, 0.3, 0.4], [1.0, 0.97, 0.96, 0.99]
    assert stats.removable(shares, low, 0.05) == 0.4
    assert stats.removable(shares, low, 0.03) == 0.2
    assert stats.removable(shares, low, 0.01) == 0.1
    assert stats.removable(shares[::-1], low[::-1], 0.03) == 0.2
    assert stats.removable([0.1], [0.5], 0.05) == 0.0
    assert stats.removable([0.1], [0.95], 0.05) == 0.1  # exactly 5 % is no more than 5 %


def test_ties_share_ranks():
    values, lows, highs = [0.9, 0.88, 0.5], [0.85, 0.83, 0.45], [0.95, 0.93, 0.55]
    assert stats.ranks(values, lows, highs) == [(1, 2), (1, 2), (3, 3)]
    assert stats.ranks([0.5, 0.9], [0.49, 0.89], [0.51, 0.91]) == [(2, 2), (1, 1)]


def test_paired_draws_separate_what_independent_intervals_cannot():
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    draws = np.stack([noise + 0.1, noise, noise + np.random.default_rng(1).normal(0, 1, 1000)])
    assert stats.paired_ranks(draws)[0] == (1, 2)
    assert stats.paired_ranks(draws[:2]) == [(1, 1), (2, 2)]
    assert stats.paired_ranks(np.stack([noise, noise])) == [(1, 2), (1, 2)]


def test_seeds_widen_an_interval():
    alone = stats.over_seeds([0.8], [0.75], [0.85])
    assert alone == pytest.approx((0.8, 0.75, 0.85))
    mean, low, high = stats.over_seeds([0.7, 0.8, 0.9], [0.65, 0.75, 0.85], [0.75, 0.85, 0.95])
    assert mean == pytest.approx(0.8)
    assert low == pytest.approx(0.8 - np.hypot(0.05, 4.303 * 0.1 / 3**0.5), abs=1e-4)
    assert high - mean == pytest.approx(mean - low)


def test_median_interval_is_made_of_order_statistics():
    value, low, high = stats.median_interval([float(number) for number in range(15)])
    assert (value, low, high) == (7.0, 3.0, 11.0)  # binomial: the 4th and the 12th of 15
    assert stats.median_interval([1.0, 2.0, 3.0]) == (2.0, 1.0, 3.0)


def test_stats_load_no_torch():
    code = "import sys, headroom.results.stats; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
