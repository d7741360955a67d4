"""Counts per example become retained quality on the same resamples for whoever asks."""

from __future__ import annotations

from pathlib import Path

import fixtures
import numpy as np
import pytest

from headroom.claims.evidence import mean_draws
from headroom.results.curves import curve
from headroom.results.resamples import Counts, retained, with_spread
from headroom.results.stats import independent_difference, task_score

MODEL, TASK, METHOD = "bert-pydocs", "package", "michel-greedy"


def hits(share: float, seed: int = 0) -> np.ndarray:
    """Counts of a classifier that is right on a share of 200 examples."""
    right = np.random.default_rng(seed).random(200) < share
    return np.column_stack([right, np.ones(200)]).astype(float)


def saved(folder: Path, kept: float) -> Path:
    """Counts of the dense model and of a method at one half with three seeds."""
    (folder / MODEL).mkdir(parents=True, exist_ok=True)
    np.savez(folder / MODEL / "dense.npz", **{f"{TASK}/as is/0//0.0": hits(0.9)})
    own = {f"{TASK}/as is/{seed}//0.5": hits(kept - 0.02 * seed, seed) for seed in range(3)}
    np.savez(folder / MODEL / f"{METHOD}.npz", **own)
    return folder


@pytest.fixture
def record() -> fixtures.CellRecord:
    return fixtures.cell("quick", MODEL, METHOD)


def test_a_claim_and_an_area_look_at_the_same_resamples(tmp_path, record):
    folder = saved(tmp_path, 0.7)
    half = [step for step in curve(record, TASK).steps if step.target == 0.5]
    kept = Counts(folder, MODEL, TASK, "as is", record.tasks[TASK]).kept(METHOD, [0, 1, 2], half)
    assert kept is not None and kept.shape == (3, 1, 500)
    drawn = mean_draws(folder, record, TASK, half, "as is")
    middle = kept[:, 0].mean(axis=0)
    assert drawn is not None and drawn.std() > middle.std(), "the spread over seeds is added"
    assert np.corrcoef(drawn, middle)[0, 1] > 0.5, "and the examples are the same"


def test_the_draws_agree_with_the_interval_of_the_record(record):
    stats, dense, facts = hits(0.7, 1), hits(0.9), record.tasks[TASK]
    value, draws = retained(stats, dense, facts)
    score = task_score(stats, dense, "accuracy", facts.chance)
    assert value == pytest.approx(score.retained)
    assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([score.retained_low, score.retained_high], abs=0.02)


def test_a_method_that_was_scored_again_is_read_again(tmp_path, record):
    steps = [step for step in curve(record, TASK).steps if step.target == 0.5]
    counts = Counts(saved(tmp_path, 0.7), MODEL, TASK, "as is", record.tasks[TASK])
    before = counts.kept(METHOD, [0], steps)
    saved(tmp_path, 0.5)
    after = counts.kept(METHOD, [0], steps)
    assert before is not None and after is not None and after.mean() < before.mean() - 0.1


def test_a_step_without_counts_gives_no_draws(tmp_path, record):
    counts = Counts(saved(tmp_path, 0.7), MODEL, TASK, "as is", record.tasks[TASK])
    assert counts.kept(METHOD, [0, 1, 2], curve(record, TASK).steps[1:]) is None
    assert counts.kept(METHOD, [], curve(record, TASK).steps[1:]) is None
    assert Counts(None, MODEL, TASK, "as is", record.tasks[TASK]).dense() is None


def test_one_seed_has_no_spread_to_add():
    alone = np.random.default_rng(0).normal(size=(1, 500))
    np.testing.assert_array_equal(with_spread(alone, np.random.default_rng(1)), alone[0])


def test_of_independent_figures_the_half_widths_that_face_each_other_count():
    gap, low, high = independent_difference((0.7, 0.66, 0.75), (0.5, 0.38, 0.53))
    assert (gap, low, high) == pytest.approx((0.2, 0.2 - 0.05, 0.2 + 0.13))
