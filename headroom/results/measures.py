"""Numbers read off a curve, by the rules of ``headroom.results.stats``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headroom.results.curves import Curve, Step
from headroom.results.stats import removable

TOLERANCE = 1e-9


def at(shares: Sequence[float], values: Sequence[float], share: float) -> float | None:
    """A value at a removed share, between two points linear; None beyond the last point."""
    order = np.argsort(np.asarray(shares), kind="stable")
    places = np.asarray(shares, dtype=float)[order]
    if share > places[-1] + TOLERANCE:
        return None
    return float(np.interp(share, places, np.asarray(values, dtype=float)[order]))


def removable_step(curve: Curve, loss: float) -> Step:
    """The measured step that the removable share stands for; the dense one when nothing can go.

    Measured, not interpolated: a reader can have exactly this model, and its speed was timed.
    """
    shares = curve.shares()
    share = removable(shares, curve.values("low"), loss)
    return max(
        (step for step, place in zip(curve.steps, shares, strict=True) if place <= share + TOLERANCE),
        key=lambda step: step.share(curve.group),
    )
