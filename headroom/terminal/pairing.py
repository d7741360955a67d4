"""Two methods side by side, on every model and task that both ran on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from headroom.errors import UserError
from headroom.results.stats import independent_difference
from headroom.site.book import Book
from headroom.site.numbers import DASH, fixed, percent
from headroom.site.panels import Panel
from headroom.site.series import Series
from headroom.terminal.choosing import book, chosen, known
from headroom.terminal.showing import kept_at

SHARES = (0.25, 0.5, 0.75)
HEADINGS = (
    "model",
    "task",
    "setting",
    "area A",
    "area B",
    "A - B",
    "95 % interval",
    "verdict",
    "A - B at 25 %",
    "50 %",
    "75 %",
    "cross at",
)


def comparison(params: Path, a: str, b: str, model: str | None, task: str | None) -> Table:
    """A row for each panel that holds both. Raises ``UserError`` for an unknown method or a pair that never met."""
    found = book(params)
    panels = [panel for _, panel in chosen(found, model, task, None)]
    methods = [row.method for panel in panels for row in panel.rows]
    for name in (a, b):
        known(name, methods, "method")
    shared = [panel for panel in panels if a in panel.series and b in panel.series]
    if a == b or not shared:
        raise UserError(f"{a} and {b} have no curve on the same model, task, setting and group of units.")
    table = Table(title=f"A {a}, B {b}", title_justify="left", box=None, header_style="bold", pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("model", "task", "setting", "verdict") else "right")
    for panel in shared:
        table.add_row(*(Text(word) for word in _line(found, panel, a, b)))
    table.caption = "Intervals are paired where pairs.csv holds the two; else from the areas' own, which are wider."
    table.caption_justify = "left"
    return table


def _line(book_: Book, panel: Panel, a: str, b: str) -> list[str]:
    rows = {row.method: row for row in panel.rows}
    one, other = panel.series[a], panel.series[b]
    found = paired(book_, panel, a, b) or difference(rows[a], rows[b])
    words = [panel.model, panel.task, panel.setting, fixed(rows[a].area), fixed(rows[b].area)]
    if found is None:
        words += [DASH, DASH, "not ranked"]
    else:
        value, low, high = found
        verdict = "A keeps more" if low > 0 else "B keeps more" if high < 0 else "not told apart"
        words += [fixed(value), f"{fixed(low)} to {fixed(high)}", verdict]
    for share in SHARES:
        kept = kept_at(one, share), kept_at(other, share)
        words.append(DASH if None in kept else percent((kept[0] or 0.0) - (kept[1] or 0.0)))
    return [*words, ", ".join(f"{percent(share, 0)} %" for share in crossings(one, other)) or DASH]


def paired(found: Book, panel: Panel, a: str, b: str) -> tuple[float, float, float] | None:
    """Area of A minus area of B on the same resamples; None where the tables do not hold the pair."""
    for row in found.pairs.get((panel.model, panel.task), ()):
        names = (row["method"], row["other"])
        if row["setting"] == panel.setting and names in ((a, b), (b, a)):
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
