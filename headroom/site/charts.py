"""One chart: retained quality against the share removed, for the methods of one group on one task."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from headroom.site.styles import FAINT, INK, LINE, PATTERNS, look
from headroom.site.svg import embed

SIZE = (5.6, 3.5)
LOWEST = -0.12  # a curve further below chance is drawn on this edge; the table under the chart has the numbers

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "text.color": FAINT,
    "path.simplify": False,
}


@dataclass(frozen=True)
class Chart:
    """What to draw: curve rows by method, in the order in which they are drawn."""

    name: str  # unique on the page, letters, digits and dashes
    axis: str
    curves: Mapping[str, Sequence[Any]]
    keys: dict[str, str]  # a safe identifier for every method
    stochastic: frozenset[str]
    natural: Mapping[str, Sequence[tuple[float, float]]]  # share and quality of points outside a method's series


def draw(chart: Chart) -> str:
    """The chart as SVG for the inside of a page: the same bytes for the same rows."""
    with matplotlib.rc_context(SETTINGS | {"svg.hashsalt": chart.name}):
        figure, axes = plt.subplots(figsize=SIZE)
        _frame(axes, chart)
        for method in sorted(chart.curves, key=lambda name: name not in chart.stochastic):
            series = f"{chart.name}--{chart.keys[method]}"
            (_band if method in chart.stochastic else _line)(axes, series, method, chart.curves[method])
        for method, points in chart.natural.items():
            _marks(axes, f"{chart.name}--{chart.keys[method]}--natural", method, points)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.95, bottom=0.16)
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return embed(target.getvalue(), f"{chart.name}-title")


def _frame(axes: Any, chart: Chart) -> None:
    end = max(row.share for rows in chart.curves.values() for row in rows)
    right = 1.0 if end > 0.8 else end
    least = min(row.retained for rows in chart.curves.values() for row in rows)
    axes.set(xlim=(0, right), ylim=(LOWEST if least < 0 else 0, 1.04), xlabel=f"{chart.axis}, %")
    axes.xaxis.labelpad = 6
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["chance", "25", "50", "75", "dense"])
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.tick_params(length=0, pad=5)
    axes.grid(axis="y", color=LINE, linewidth=0.6, clip_on=False)
    axes.set_axisbelow(True)
    axes.plot([0, right], [1, 1], color=INK, linewidth=0.9, clip_on=False)


def _inside(values: Iterable[float]) -> np.ndarray:
    """Heights that stay on the paper: what is further down is drawn on the lower edge."""
    return np.clip(np.fromiter(values, float), LOWEST, 1.04)


def _band(axes: Any, series: str, method: str, rows: Sequence[Any]) -> None:
    """A random method: the range of its draws, and the middle draw."""
    shares, colour = [row.share for row in rows], look(method).value
    least, most = _inside(row.least for row in rows), _inside(row.most for row in rows)
    area = axes.fill_between(shares, least, most, color=colour, alpha=0.2, linewidth=0, clip_on=False)
    area.set_gid(f"{series}--band")
    middle = _inside(row.middle for row in rows)
    axes.plot(shares, middle, color=colour, linewidth=1.2, dashes=PATTERNS["dot"], clip_on=False, gid=f"{series}--line")


def _line(axes: Any, series: str, method: str, rows: Sequence[Any]) -> None:
    """Any other method: a line, an interval at every point, and a hollow mark where it ends at the floor."""
    style = look(method)
    shares, kept = [row.share for row in rows], _inside(row.retained for row in rows)
    common = {"color": style.value, "marker": style.marker, "clip_on": False}
    # One path with gaps, not one path for each interval: a third of the bytes.
    gaps = [math.nan] * len(rows)
    bars = np.stack([_inside(row.low for row in rows), _inside(row.high for row in rows), gaps], axis=1).ravel()
    (bar,) = axes.plot(np.repeat(shares, 3), bars, color=style.value, linewidth=2.4, alpha=0.28, clip_on=False)
    bar.set(gid=f"{series}--bars", solid_capstyle="butt")
    inner = [place for place, row in enumerate(rows) if 0 < row.target < 1]
    (line,) = axes.plot(shares, kept, linewidth=1.5, markersize=4.2, markeredgewidth=0, markevery=inner, **common)
    line.set_gid(f"{series}--line")
    if PATTERNS[style.dash]:
        line.set_dashes(PATTERNS[style.dash])
    if rows[-1].target == 1:
        _marks(axes, f"{series}--floor", method, [(rows[-1].share, rows[-1].retained)])


def _marks(axes: Any, name: str, method: str, points: Sequence[tuple[float, float]]) -> None:
    """Hollow marks: the floor, and natural points such as those of a sweep over a penalty."""
    style = look(method)
    shares, kept = [share for share, _ in points], _inside(value for _, value in points)
    common = {"color": style.value, "marker": style.marker or "o", "linewidth": 0, "clip_on": False}
    axes.plot(shares, kept, markersize=4.6, markeredgewidth=1.1, markerfacecolor="none", gid=name, **common)
