"""Names beside the lines of a chart: which methods get one, and where they stand so that none covers another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from headroom.config.plain import plain
from headroom.site.names import slug
from headroom.site.styles import INK, look

MOST = 5  # methods in colour, beside the random ones
STEP = 15.0  # points between two names: a phone's larger letters have room too
LONGEST = 34  # letters of a name in a chart
GAP, TAG, WORDS = 6.0, 11.0, 17.0  # points from the axes to the end of a leader, to the mark and to the name
Line = tuple[Sequence[float], Sequence[float]]  # shares, rising, and quality kept there


@dataclass(frozen=True)
class Named:
    """A series, and the point of it that its name belongs to."""

    method: str
    title: str
    x: float
    y: float


def foremost(rows: Iterable[Any], drawn: Collection[str], first: Collection[str] = ()) -> tuple[str, ...]:
    """The methods of a chart that stand out: the best by area, and the random ones that those are held against.

    ``rows`` are leaderboard rows, ``drawn`` the methods that the chart has; those in ``first`` go before all others.
    """
    rows = [row for row in rows if row.method in drawn]
    best = standing_order(rows, first)[:MOST]
    return (*(row.method for row in best), *rivals(rows, best))


def standing_order(rows: Iterable[Any], first: Collection[str] = ()) -> list[Any]:
    """Rows of methods that are no random ones, the best by area first, those of ``first`` before all others."""
    able = [row for row in rows if not row.stochastic]
    return sorted(able, key=lambda row: (row.method not in first, not row.ranked, -(row.area or 0.0), row.method))


def rivals(rows: Iterable[Any], best: Sequence[Any]) -> list[str]:
    """The random methods that the best are held against; all of them where there are no others."""
    names = {row.random_method for row in best}
    return [row.method for row in rows if row.stochastic and (row.method in names or not best)]


def anchors(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """A point on every line, all at the share where they differ most; at its end where a line does not go so far."""
    shares = sorted({share for line in lines for share in line[0]})

    def heights(share: float) -> list[float]:
        return [float(np.interp(share, *line)) for line in lines]

    share = max(shares[1:-1] or shares, key=lambda one: (pvariance(heights(one)), -one))
    return [(min(share, line[0][-1]), height) for line, height in zip(lines, heights(share), strict=True)]


def apart(wanted: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Places in the order of the wanted ones, ``step`` apart or more and inside the limits, moved as little as can be.

    The squares of the moves are least: an isotonic regression on what is wanted less the room that those below take.
    Where there is no room for all, they share what there is.
    """
    count = len(wanted)
    step = min(step, (high - low) / max(count - 1, 1))
    order = sorted(range(count), key=lambda place: (wanted[place], place))
    free = [wanted[place] - step * below for below, place in enumerate(order)]
    found = [0.0] * count
    for below, place in enumerate(order):
        level = max(min(fmean(free[a : b + 1]) for b in range(below, count)) for a in range(below + 1))
        found[place] = min(max(level, low), high - step * (count - 1)) + step * below
    return found


def write_names(axes: Axes, chart: str, named: Sequence[Named]) -> None:
    """A name right of the axes for each, with its mark, and a line that leads there from its point."""
    dots = axes.figure.dpi / 72
    box, back = axes.bbox, axes.transData.inverted()
    wanted = [axes.transData.transform((one.x, one.y))[1] / dots for one in named]
    heights = apart(wanted, STEP, box.y0 / dots + 4, box.y1 / dots - 2)
    for one, height in zip(named, heights, strict=True):
        style, gid = look(one.method), f"{chart}--{slug(one.method)}"

        def beside(points: float, under: float = 0.0, height: float = height) -> Any:
            return back.transform((box.x1 + points * dots, (height - under) * dots))

        xs, ys = zip((one.x, one.y), beside(GAP), strict=True)
        common: dict[str, Any] = {"color": style.value, "clip_on": False}
        axes.plot(xs, ys, linewidth=0.7, alpha=0.7, gid=f"{gid}--lead", **common)
        if style.marker:
            (x, y) = beside(TAG)
            kind = f"{gid}--tag.{style.marker}"
            axes.plot([x], [y], marker=style.marker, markersize=4.2, linestyle="none", gid=kind, **common)
        words = plain(one.title)
        words = words if len(words) <= LONGEST else f"{words[: LONGEST - 1].rstrip()}…"
        x, y = beside(WORDS, 3.2)
        axes.text(x, y, words, color=INK, fontsize=8.5, gid=f"{gid}--name", clip_on=False, parse_math=False)
