"""The charts, by matplotlib: quality against what was removed, and quality against measured speed.

Colours stand here as the light page has them; ``svg`` hands them over to the style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headroom.site.labels import Named, anchors, write_names
from headroom.site.ratios import ratios, roomy
from headroom.site.series import Series, Stop, front
from headroom.site.styles import FAINT, INK, LINE, PATTERNS, look

SIZE = (5.6, 3.5)
BOX = (0.1, 0.18, 0.885, 0.77)  # left, bottom, width and height of the axes
WIDE, WIDE_BOX = (8.0, 3.7), (0.08, 0.17, 0.622, 0.78)  # with room for names on the right
LOWEST = -0.12  # a curve further below chance is drawn on this edge; the table under the chart has the numbers
HIGHEST = 1.04

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "text.color": FAINT,
    "path.simplify": False,
}


@dataclass(frozen=True)
class CurveChart:
    """Retained quality against one axis, for the series of a panel. ``name`` is unique in the site.

    The methods of ``best`` stand out, the first one most, and have their names beside their lines.
    """

    name: str
    title: str
    axis: str
    label: str
    series: tuple[Series, ...]
    best: tuple[str, ...] = ()
    frame_only: bool = False

    def draw(self) -> Figure:
        figure, axes = paper() if self.frame_only else paper(WIDE, WIDE_BOX)
        ends = [stop.shares[self.axis] or 0.0 for one in self.series for stop in one.stops]
        end = max(ends, default=1.0)
        least = min((stop.retained for one in self.series for stop in one.stops), default=0.0)
        quality_axis(axes, (0.0, 1.0 if end > 0.8 or not end else end), LOWEST if least < 0 else 0.0, self.label)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        if not self.frame_only:
            for one in background_first(self.series, self.best):
                (_band if one.stochastic else _line)(axes, self.name, one, self.axis)
            self._write_names(axes)
        return figure

    def _write_names(self, axes: Axes) -> None:
        by_method = {one.method: one for one in self.series}
        shown = [by_method[method] for method in self.best if _known(by_method[method], self.axis)]
        lines = []
        for one in shown:
            known = _known(one, self.axis)
            kept = [stop.middle if one.stochastic else stop.retained for _, stop in known]
            lines.append(([share for share, _ in known], list(clipped(axes, kept))))
        places = anchors(lines) if lines else []
        named = [Named(one.method, one.title, *place) for one, place in zip(shown, places, strict=True)]
        write_names(axes, self.name, named)


@dataclass(frozen=True)
class ParetoChart:
    """Retained quality against measured speed: every timed point, and the front that no point beats in both."""

    name: str
    title: str
    series: tuple[Series, ...]
    best: tuple[str, ...] = ()

    def draw(self) -> Figure:
        figure, axes = paper(WIDE, WIDE_BOX)
        points = [
            (speed, stop.retained, one)
            for one in self.series
            for stop in one.stops[1:]
            if (speed := stop.shares["speed"])
        ]
        speeds = [1.0, *(speed for speed, _, _ in points)]
        least = min((kept for _, kept, _ in points), default=0.0)
        quality_axis(axes, roomy(speeds), LOWEST if least < 0 else 0.0, "measured speed, times dense")
        ratios(axes.xaxis, speeds)
        best = front([(1.0, 1.0, ""), *((speed, kept, one.method) for speed, kept, one in points)])
        xs, ys = [x for x, _, _ in best], clipped(axes, [y for _, y, _ in best])
        axes.plot(
            xs, ys, color=INK, linewidth=0.9, drawstyle="steps-pre", clip_on=False, gid=f"{self.name}--front--front"
        )
        for one in background_first(self.series, self.best):
            if marks := timed(one):
                marker(axes, f"{self.name}--{one.key}", one.method, marks)
        shown = {one.method: one for one in self.series if timed(one)}
        named = [_at_its_best(axes, shown[method]) for method in self.best if method in shown]
        write_names(axes, self.name, named)
        return figure


def _at_its_best(axes: Axes, one: Series) -> Named:
    """Its timed point of most speed and quality together."""
    speed, kept = max(timed(one), key=lambda point: (point[0] * point[1], point))
    return Named(one.method, one.title, speed, float(clipped(axes, [kept])[0]))


def background_first(series: Iterable[Series], best: Sequence[str]) -> list[Series]:
    """What is drawn first lies beneath: random bands, what does not stand out, then the best, the first one last."""
    places = {method: place for place, method in enumerate(best)}
    return sorted(series, key=lambda one: (not one.stochastic, one.method in places, -places.get(one.method, 0)))


def timed(one: Series) -> list[tuple[float, float]]:
    """(measured speed, quality kept) of every timed point but the dense one."""
    return [(speed, stop.retained) for stop in one.stops[1:] if (speed := stop.shares["speed"])]


def paper(size: tuple[float, float] = SIZE, box: tuple[float, float, float, float] = BOX) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. Call inside ``style``."""
    figure = Figure(figsize=size)
    axes = figure.add_axes(box)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=5)
    axes.tick_params(axis="x", pad=8)  # a mark on the lower edge needs the room
    axes.grid(axis="y", color=LINE, linewidth=0.6, clip_on=False)
    axes.set_axisbelow(True)
    axes.xaxis.labelpad = 8
    return figure, axes


def style(name: str) -> Any:
    """matplotlib's settings for a chart; the salt makes the ids of two charts differ and of two builds agree."""
    settings: Any = SETTINGS | {"svg.hashsalt": name}
    return matplotlib.rc_context(settings)


def quality_axis(axes: Axes, span: tuple[float, float], lowest: float, label: str) -> None:
    """Retained quality upwards, from chance to dense, with the dense model as a line."""
    axes.set(xlim=span, ylim=(lowest, HIGHEST), xlabel=label)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["chance", "25", "50", "75", "dense"])
    axes.plot(span, [1, 1], color=INK, linewidth=0.9, clip_on=False, gid="rule-dense")


def clipped(axes: Axes, values: Iterable[float]) -> np.ndarray:
    """Heights that stay on the paper: what is further down is drawn on the lower edge."""
    return np.clip(np.fromiter(values, float), *axes.get_ylim())


def marker(axes: Axes, name: str, method: str, points: Sequence[tuple[float, float]], hollow: bool = False) -> None:
    """Marks without a line, filled or hollow."""
    mark = look(method).marker or "o"
    shares, kept = [share for share, _ in points], clipped(axes, (value for _, value in points))
    face = "none" if hollow else look(method).value
    common: dict[str, Any] = {"color": look(method).value, "marker": mark, "linewidth": 0, "clip_on": False}
    kind = f"hollow.{mark}" if hollow else f"marks.{mark}"
    axes.plot(shares, kept, markersize=4.4, markeredgewidth=1.1, markerfacecolor=face, gid=f"{name}--{kind}", **common)


def _known(one: Series, axis: str) -> list[tuple[float, Stop]]:
    return [(share, stop) for stop in one.stops if (share := stop.shares[axis]) is not None]


def _band(axes: Axes, chart: str, one: Series, axis: str) -> None:
    """A random method: the range of its draws, and the middle draw."""
    stops, colour = _known(one, axis), look(one.method).value
    shares = [share for share, _ in stops]
    least, most = (clipped(axes, (getattr(stop, end) for _, stop in stops)) for end in ("least", "most"))
    name = f"{chart}--{one.key}"
    area = axes.fill_between(shares, least, most, color=colour, alpha=0.2, linewidth=0, clip_on=False)
    area.set(gid=f"{name}--band", zorder=1.9)
    middle = clipped(axes, (stop.middle for _, stop in stops))
    axes.plot(
        shares, middle, color=colour, linewidth=1.2, dashes=PATTERNS["dot"], clip_on=False, gid=f"{name}--line..dot"
    )


def _line(axes: Axes, chart: str, one: Series, axis: str) -> None:
    """Any other method: an interval at every point, a line, and a hollow mark where it ends at the floor."""
    style_ = look(one.method)
    stops, name = _known(one, axis), f"{chart}--{one.key}"
    shares, kept = [share for share, _ in stops], clipped(axes, (stop.retained for _, stop in stops))
    # One path with gaps, not one path for each interval: a third of the bytes.
    gaps = np.full(len(stops), math.nan)
    ends = [clipped(axes, (getattr(stop, end) for _, stop in stops)) for end in ("low", "high")]
    bars = np.stack([*ends, gaps], axis=1).ravel()
    common: dict[str, Any] = {"color": style_.value, "clip_on": False}
    axes.plot(
        np.repeat(shares, 3), bars, linewidth=2.4, alpha=0.28, solid_capstyle="butt", gid=f"{name}--bars", **common
    )
    inner = [place for place, (_, stop) in enumerate(stops) if stop.name or 0 < (stop.target or 0) < 1]
    gid = f"{name}--line.{style_.marker}.{style_.dash}"
    marks: dict[str, Any] = {"marker": style_.marker, "markersize": 4.2, "markeredgewidth": 0, "markevery": inner}
    (line,) = axes.plot(shares, kept, linewidth=1.5, gid=gid, **marks, **common)
    if PATTERNS[style_.dash]:
        line.set_dashes(PATTERNS[style_.dash])
    hollow = [(share, stop.retained) for share, stop in stops if stop.target == 1 and not stop.name]
    hollow += [(share, stop.retained) for stop in one.natural if (share := stop.shares[axis]) is not None]
    if hollow:
        marker(axes, name, one.method, hollow, hollow=True)
