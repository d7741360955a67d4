"""What comes out of testing a claim: a verdict with the figure that it stands on, or the sentence why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headroom.claims.estimate import Estimate
from headroom.results.rows import Verdict

TOLERANCE = 1e-9  # of a figure that should lie on its threshold, and of an interval that is a point


class NotTestable(Exception):
    """Why a claim cannot be tested on a model, as a sentence."""


class NotAtHand(NotTestable):
    """It cannot on this machine, where the model was measured by another."""


@dataclass(frozen=True)
class Finding:
    """What a claim found on one model and task. Only the functions below make one: no claim words its own verdict."""

    verdict: Verdict
    figure: Estimate
    reason: str = ""


def above(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure is above the threshold."""
    return _judged(figure, threshold, figure.value > threshold, reason)


def at_least(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure reaches the threshold."""
    return _judged(figure, threshold, figure.value >= threshold - TOLERANCE, reason)


def below(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure is below the threshold."""
    return _judged(figure, threshold, figure.value < threshold, reason)


def at_most(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure does not exceed the threshold."""
    return _judged(figure, threshold, figure.value <= threshold + TOLERANCE, reason)


def all_of(figure: Estimate, parts: Sequence[Finding], reason: str = "") -> Finding:
    """Of a claim in parts: it fails with any of them, else is undecided with any. ``figure`` is the one to show."""
    order: tuple[Verdict, ...] = ("does not hold", "undecided", "holds")
    return Finding(min((part.verdict for part in parts), key=order.index), figure, reason)


def _judged(figure: Estimate, threshold: float, met: bool, reason: str) -> Finding:
    """Undecided where the interval holds the threshold: other examples or seeds could have turned the verdict."""
    _, low, high = figure.ends
    undecided = high - low > TOLERANCE and low <= threshold <= high
    return Finding("undecided" if undecided else "holds" if met else "does not hold", figure, reason)
