"""What the examples of a row are enough for: to tell two methods apart, and to certify that a loss is small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from headroom.results.curves import Curve, removable_step
from headroom.results.resamples import Draws
from headroom.results.stats import percentiles, removable

LOSSES = (0.01, 0.05)
HEADLINES = (0.25, 0.5)  # shares removed at which a board says what it could have seen
Array = np.ndarray


def name_of(share: float) -> str:
    """A loss or a share as columns are called: 0.01 is 1."""
    return f"{100 * share:g}"


def can_go(own: Curve, loss: float) -> dict[str, Any]:
    """The columns of a loss: what can go as certified, as measured, and whether a certified 0 is an answer."""
    certified = removable_step(own, loss).share(own.group)
    return {
        f"removable_{name_of(loss)}": certified,
        f"measured_{name_of(loss)}": removable(own.shares(), own.values(), loss),
        f"certifiable_{name_of(loss)}": certified > 0 or _surely_loses(own, loss),
    }


def _surely_loses(own: Curve, loss: float) -> bool:
    """Whether the whole interval of the first step lies below: otherwise more examples could certify it."""
    steps = [step for step in own.steps if step.share(own.group) > 0]
    first = min(steps, key=lambda step: (step.share(own.group), step.low), default=None)
    return first is not None and first.high < 1 - loss


def visible(members: Sequence[Mapping[str, Any]], draws: Draws | None) -> dict[str, float | None]:
    """The smallest difference that two rows ranked together could have shown, of area and of retained quality.

    It is the half-width of the 95 % interval of their difference, and of all pairs the median. Pairs with the same
    plans throughout do not count: they differ by nothing, and that says nothing about the examples.
    """
    names = {share: f"visible_{name_of(share)}" for share in HEADLINES}
    if draws is not None:
        return {"visible_area": _paired(draws.areas)} | {name: _paired(draws.kept[at]) for at, name in names.items()}
    found = {"visible_area": _apart([(row["area_high"] - row["area_low"]) / 2 for row in members])}
    return found | {name: _apart([row[f"lost_{name_of(at)}_error"] for row in members]) for at, name in names.items()}


def _paired(draws: Array) -> float | None:
    """Of draws on the same resamples, (rows, resamples); a row that has no value there holds NaN."""
    known = [row for row in draws if np.isfinite(row).all()]
    return _median(half_width(one - other) for one, other in combinations(known, 2))


def _apart(halves: Sequence[float | None]) -> float | None:
    """Of independent intervals, from their half-widths, which add as squares."""
    return _median(float(np.hypot(*pair)) for pair in combinations([half for half in halves if half is not None], 2))


def half_width(draws: Array) -> float:
    """Half of the 95 % percentile interval."""
    low, high = percentiles(draws, float(np.median(draws)))
    return (high - low) / 2


def _median(halves: Iterable[float]) -> float | None:
    return median(found) if (found := [half for half in halves if half > 0]) else None
