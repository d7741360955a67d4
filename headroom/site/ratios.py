"""Axes of ratios to dense: few round steps, by factors where what they show spans much."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axis import XAxis, YAxis
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

MANY_TIMES = 4.0  # what spans more is drawn on a logarithmic axis
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # of such an axis


class Ratio(ScalarFormatter):
    """Ratios to dense on an axis, all with as many digits as their steps need: 1.0×, 1.2×."""

    def __init__(self) -> None:
        super().__init__(useOffset=False)

    def __call__(self, value: float, pos: int | None = None) -> str:
        return f"{super().__call__(value, pos)}\N{MULTIPLICATION SIGN}"


def far(values: Sequence[float]) -> bool:
    """Whether ratios to dense span so much that their axis is logarithmic."""
    return min(values) > 0 and max(values) / min(values) > MANY_TIMES


def roomy(values: Sequence[float]) -> tuple[float, float]:
    """The limits of an axis of ratios, a little beyond the outermost ones."""
    low, high = min(values), max(values)
    if far(values):
        room = (high / low) ** 0.04
        return low / room, high * room
    room = max(0.04 * (high - low), 0.02)
    return low - room, high + room


def ratios(axis: XAxis | YAxis, values: Sequence[float] = (1.0,)) -> None:
    """Few round ratios on an axis, a phone has no room for more; steps by factors where they span much."""
    if far(values):
        low, high = roomy(values)
        steps = [step for step in STEPS if low <= step <= high]
        axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
        axis.set_major_locator(FixedLocator(steps))
        axis.set_major_formatter(FixedFormatter([f"{step:g}\N{MULTIPLICATION SIGN}" for step in steps]))
        axis.set_minor_locator(NullLocator())
        return
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(Ratio())
