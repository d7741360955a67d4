"""Numbers read off a curve: its area, what is lost at a share, and how much can go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headroom.tables.curves import Curve, Step

TOLERANCE = 1e-9


def area(shares: Sequence[float], retained: Sequence[float]) -> float:
    """Area under retained quality, by trapezoids; below chance counts as zero, and so does what is never reached."""
    order = np.argsort(np.asarray(shares), kind="stable")
    heights = np.clip(np.asarray(retained, dtype=float)[order], 0.0, None)
    return float(np.trapezoid(heights, np.asarray(shares, dtype=float)[order]))


def at(shares: Sequence[float], values: Sequence[float], share: float) -> float | None:
    """A value at a removed share, between two points linear; None beyond the last point."""
    order = np.argsort(np.asarray(shares), kind="stable")
    places = np.asarray(shares, dtype=float)[order]
    if share > places[-1] + TOLERANCE:
        return None
    return float(np.interp(share, places, np.asarray(values, dtype=float)[order]))


def removable(curve: Curve, loss: float) -> Step:
    """The last measured step before the interval's lower end first falls below ``1 - loss``; at worst the dense one.

    Measured, not interpolated: a reader can have exactly this model, and its speed was timed.
    """
    kept = curve.steps[0]
    for step in curve.steps[1:]:
        if step.low < 1 - loss - TOLERANCE:
            break
        kept = step
    return kept


def places(intervals: Sequence[tuple[float, float, float]]) -> list[tuple[int, int]]:
    """Best and worst place of each (value, low, high) that the intervals allow, highest value first.

    Two differ when their distance exceeds the root of the sum of the squared half-widths that face each other; rows
    that do not differ share places, and are ties.
    """

    def beats(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
        return one[0] - other[0] > float(np.hypot(one[0] - one[1], other[2] - other[0])) + TOLERANCE

    return [
        (
            1 + sum(beats(other, one) for other in intervals),
            len(intervals) - sum(beats(one, other) for other in intervals),
        )
        for one in intervals
    ]
