"""Intervals, retained quality, areas and ranks from per-example counts. NumPy and SciPy only, so pages need no torch.

Every interval is a percentile interval, of 95 % unless another level is asked for, over ``RESAMPLES`` resamples of the
examples, drawn with a fixed seed. The removed and the dense model share each resample, so that differences and ratios
are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from headroom.errors import UserError
from headroom.results.aggregates import AGGREGATES, flips
from headroom.results.records import Agreement, TaskScore

RESAMPLES = 1000
SEED = 20190525
LEVEL = 0.95
NORMAL = 1.959964  # standard deviations from the middle to an end of such an interval
BLOCK = 100  # resamples summed at once: bounds memory at BLOCK x examples numbers
TOLERANCE = 1e-9

Array = np.ndarray
Floats = Sequence[float] | Array
Interval = tuple[float, float]
Figure = Any  # value, low, high: three numbers, or three arrays of one shape


class NoSkill(UserError):
    """The dense model is no better than chance, so there is no quality that could be retained."""


def resampled_sums(stats: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Sums over the examples of each resample, shape (resamples, k), from per-example counts (examples, k)."""
    weights = drawn(len(stats), resamples, seed)
    blocks = [weights[start : start + BLOCK].astype(float) @ stats for start in range(0, resamples, BLOCK)]
    return np.concatenate(blocks)


@lru_cache(maxsize=4)  # drawing takes most of the time, and all points of a task use the same draws
def drawn(examples: int, resamples: int, seed: int) -> Array:
    """How often each example is drawn in each resample, shape (resamples, examples)."""
    generator = np.random.default_rng(seed)
    even = np.full(examples, 1 / examples)
    blocks = [generator.multinomial(examples, even, size=1).astype(np.uint16) for _ in range(resamples)]
    return np.concatenate(blocks)


def percentiles(draws: Array, value: float, level: float = LEVEL) -> Interval:
    """The percentile interval of bootstrap draws, widened where needed to hold the value itself."""
    tail = 50 * (1 - level)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return min(float(low), value), max(float(high), value)


def task_score(
    stats: Array,
    dense_stats: Array,
    aggregate: str,
    chance: float,
    better: Literal["higher", "lower"] = "higher",
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> TaskScore:
    """The score of a removed model beside the dense one, from counts of the same examples in the same order.

    ``chance`` is in the unit of the metric. ``difference`` is value minus dense value whatever ``better`` says;
    retained quality is 1 for the dense model and 0 at chance either way. Raises ``NoSkill`` when the dense model is
    not better than chance.
    """
    metric = AGGREGATES[aggregate]
    if stats.shape != dense_stats.shape:
        raise ValueError(f"counts of different examples: {stats.shape} against {dense_stats.shape} of the dense model")
    sign = 1 if better == "higher" else -1
    value, dense = float(metric(stats.sum(axis=0))), float(metric(dense_stats.sum(axis=0)))
    gap = sign * (dense - chance)
    if gap <= 0:
        raise NoSkill(f"the dense model scores {dense:.4g}, no better than chance ({chance:.4g}); train it longer")
    both = resampled_sums(np.hstack([stats, dense_stats]), resamples, seed)
    values, denses = metric(both[:, : stats.shape[1]]), metric(both[:, stats.shape[1] :])
    # A resample in which the dense model falls to chance says "anything": keep its sign, and let it widen the interval.
    gaps = np.maximum(sign * (denses - chance), gap / 100)
    low, high = percentiles(values, value, level)
    difference_low, difference_high = percentiles(values - denses, value - dense, level)
    retained = sign * (value - chance) / gap
    retained_low, retained_high = percentiles(sign * (values - chance) / gaps, retained, level)
    return TaskScore(
        value=value,
        low=low,
        high=high,
        difference=value - dense,
        difference_low=difference_low,
        difference_high=difference_high,
        retained=retained,
        retained_low=retained_low,
        retained_high=retained_high,
        examples=len(stats),
    )


def agreement(
    stats: Array, dense_stats: Array, chance: float, resamples: int = RESAMPLES, seed: int = SEED
) -> Agreement:
    """Agreement with the dense model as it was, from (examples, 3) counts as ``divergence`` has them.

    ``dense_stats`` are those of point zero: nothing but zeros where it was not trained on. ``chance`` is the divergence
    of a model that gives the same prediction to everything. Raises ``NoSkill`` where that is none.
    """
    score = task_score(stats, dense_stats, "divergence", chance, "lower", resamples, seed)
    changed = float(flips(stats.sum(axis=0)))
    low, high = percentiles(flips(resampled_sums(stats, resamples, seed)), changed)
    return Agreement(**score.model_dump(), flips=changed, flips_low=low, flips_high=high)


def over_seeds(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float, float]:
    """Mean over seeds with an interval for seeds and examples together: value, low, high.

    The examples are the same for every seed, so their half-widths are averaged and not shrunk; the spread over seeds
    enters by Student's t, because a few seeds say little about a mean. The two are independent: they add as squares.
    """
    mean, count = float(np.mean(values)), len(values)
    spread = 0.0
    if count > 1:
        from scipy import stats as scipy_stats  # half a second, and a quality stage never comes here

        spread = float(scipy_stats.t.ppf((1 + LEVEL) / 2, count - 1) * scipy_stats.sem(values))
    below, above = mean - float(np.mean(lows)), float(np.mean(highs)) - mean
    return mean, mean - float(np.hypot(below, spread)), mean + float(np.hypot(above, spread))


def area(shares: Sequence[float], retained: Sequence[float]) -> float:
    """Area under retained quality against the share of attention parameters removed, from 0 to 1, by trapezoids.

    The dense point (0, 1) is added. Quality below chance counts as zero; quality above the dense model's counts as it
    is, so that noise around 1 averages out. What lies beyond the last point counts as zero.
    """
    places = np.array([0.0, *shares])
    heights = np.clip(np.array([1.0, *retained]), 0.0, None)
    order = np.argsort(places, kind="stable")
    return float(np.trapezoid(heights[order], places[order]))


def removable(shares: Sequence[float], retained_low: Sequence[float], loss: float) -> float:
    """The largest measured share at which the lower end of retained quality is at least ``1 - loss``.

    All smaller shares have to hold it as well; 0, the dense model, when none does.
    """
    reached = 0.0
    for share, low in sorted(zip(shares, retained_low, strict=True)):
        if low < 1 - loss - TOLERANCE:
            break
        reached = share
    return float(reached)


def independent_difference(one: Figure, other: Figure) -> tuple[Any, Any, Any]:
    """Difference of two independent (value, low, high): the half-widths that face each other add as squares.

    Arrays work as numbers do, by broadcasting.
    """
    (value, low, high), (value2, low2, high2) = one, other
    gap = value - value2
    return gap, gap - np.hypot(value - low, high2 - value2), gap + np.hypot(high - value, value2 - low2)


def beats(values: Floats, lows: Floats, highs: Floats) -> Array:
    """Whether independent intervals put the first row above the second, (rows, rows).

    Two rows differ when their distance exceeds the root of the summed squares of the half-widths that face each other.
    """
    figures = np.array([values, lows, highs], dtype=float)
    _, least, _ = independent_difference(figures[:, :, None], figures[:, None, :])
    return np.asarray(least > TOLERANCE)


def paired_beats(draws: Array) -> Array:
    """The same from paired draws (rows, resamples): rows differ when the interval of their difference does."""
    tail = 50 * (1 - LEVEL)
    lows = np.percentile(draws[:, None, :] - draws[None, :, :], tail, axis=-1)
    return np.asarray(lows > TOLERANCE)


def ranks(values: Floats, lows: Floats, highs: Floats) -> list[tuple[int, int]]:
    """Best and worst rank of each row that independent intervals allow; the highest value is best.

    Rows that do not differ share ranks: they are ties.
    """
    return _places(beats(values, lows, highs))


def paired_ranks(draws: Array) -> list[tuple[int, int]]:
    """Best and worst rank from paired draws (rows, resamples).

    The same resamples for all rows, as ``resampled_sums`` gives them; the highest value is best.
    """
    return _places(paired_beats(draws))


def _places(beats: Array) -> list[tuple[int, int]]:
    """Ranks from a table of who beats whom."""
    best, worst = 1 + beats.sum(axis=0), len(beats) - beats.sum(axis=1)
    return [(int(first), int(last)) for first, last in zip(best, worst, strict=True)]


def median_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """Median with its order-statistic (binomial) interval: value, low, high. Too few values give the whole range."""
    from scipy import stats as scipy_stats

    found = scipy_stats.quantile_test(values, p=0.5).confidence_interval(level)
    low, high = (float(end) for end in (found.low, found.high))
    low, high = (low if np.isfinite(low) else min(values)), (high if np.isfinite(high) else max(values))
    return float(np.median(values)), float(low), float(high)
