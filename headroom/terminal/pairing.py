"""Two methods side by side, on every model and task that both ran on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from headroom.errors import UserError
from headroom.results.stats import independent_difference
from headroom.site.book import Book
from headroom.site.numbers import DASH, MINUS, fixed, percent
from headroom.site.panels import Panel
from headroom.site.series import Series
from headroom.terminal.choosing import book, chosen, known
from headroom.terminal.layout import Listing
from headroom.terminal.showing import kept_at

SHARES = (0.25, 0.5, 0.75)
HEADINGS = ("model", "task", "setting", f"A {MINUS} B", "95 % interval")
PAIRED = "Intervals are paired where pairs.csv holds the two; else from the areas' own, which are wider."


def comparison(params: Path, a: str, b: str, model: str | None, task: str | None) -> Listing:
    """A row for each panel that holds both. Raises ``UserError`` for an unknown method or a pair that never met."""
    found = book(params)
    panels = [panel for _, panel in chosen(found, model, task, None)]
    methods = [row.method for panel in panels for row in panel.rows]
    for name in (a, b):
        known(name, methods, "method")
    shared = [panel for panel in panels if a in panel.series and b in panel.series]
    if a == b or not shared:
        raise UserError(f"{a} and {b} have no curve on the same model, task, setting and group of units.")
    sides = Listing(f"Area under the curve: A {a}, B {b}", HEADINGS, numbers=frozenset(HEADINGS[3:]), caption=PAIRED)
    for panel in shared:
        rows = {row.method: row for row in panel.rows}
        apart, interval, verdict = _words(paired(found, panel, a, b) or difference(rows[a], rows[b]))
        areas = f"A {fixed(rows[a].area)}, B {fixed(rows[b].area)}"
        text = f"{verdict}: {areas}. {_curves(panel.series[a], panel.series[b])}"
        sides.add(panel.model, panel.task, panel.setting, apart, interval, text=text)
    return sides


def _words(found: tuple[float, float, float] | None) -> tuple[str, str, str]:
    """Difference, interval and verdict."""
    if found is None:
        return DASH, DASH, "Not both ranked"
    value, low, high = found
    verdict = "A keeps more" if low > 0 else "B keeps more" if high < 0 else "Not told apart"
    return fixed(value), f"{fixed(low)} to {fixed(high)}", verdict


def _curves(one: Series, other: Series) -> str:
    """What A keeps more than B at three shares of units gone, in points, and where the curves cross."""
    apart = []
    for share in SHARES:
        kept = kept_at(one, share), kept_at(other, share)
        apart.append(DASH if None in kept else percent((kept[0] or 0.0) - (kept[1] or 0.0)))
    where = ", ".join(f"{percent(share, 0)} %" for share in crossings(one, other))
    shares = "/".join(percent(share, 0) for share in SHARES)
    return f"With {shares} % of units gone: {', '.join(apart)} points. " + (
        f"Cross at {where}." if where else "No crossing."
    )


def paired(found: Book, panel: Panel, a: str, b: str) -> tuple[float, float, float] | None:
    """Area of A minus area of B on the same resamples; None where the tables do not hold the pair."""
    for row in found.pairs.get((panel.model, panel.task), ()):
        names = (row["method"], row["other"])
        same = (row["setting"], row.get("quality", panel.quality)) == (panel.setting, panel.quality)
        if same and names in ((a, b), (b, a)):
            value, low, high = (float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
            return (value, low, high) if names == (a, b) else (-value, -high, -low)
    return None


def difference(a: Any, b: Any) -> tuple[float, float, float] | None:
    """Area of A minus area of B with an interval from both; None unless both are ranked."""
    if not a.ranked or not b.ranked:
        return None
    one, other = ((row.area, row.area_low, row.area_high) for row in (a, b))
    return independent_difference(one, other)


def crossings(one: Series, other: Series) -> list[float]:
    """Shares of units at which the straight pieces of two curves change sides by more than a point."""
    curves = []
    for series in (one, other):
        known_ = sorted((s, stop.retained) for stop in series.stops if (s := stop.shares["units"]) is not None)
        curves.append(np.array(known_).T)
    shares = np.unique(np.concatenate([curve[0] for curve in curves]))
    shares = shares[shares <= min(curve[0].max() for curve in curves)]
    gap = np.interp(shares, *curves[0]) - np.interp(shares, *curves[1])
    found = []
    for left, right, before, after in zip(shares, shares[1:], gap, gap[1:], strict=False):
        if before * after < 0 and max(abs(before), abs(after)) >= 0.01:
            found.append(float(left + (right - left) * before / (before - after)))
    return found
