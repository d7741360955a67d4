"""The leaderboard as a rich table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from headroom.site.numbers import DASH, fixed, metric, percent, places, seconds, times
from headroom.site.panels import CellView, Panel
from headroom.site.series import Series
from headroom.site.verdicts import against

BLOCKS = "▁▂▃▄▅▆▇█"
HEADINGS = (
    *("rank", "method", "curve", "kept", "±", "lost 25 %", "lost 50 %", "lost 75 %"),
    *("go 1 %", "go 5 %", "speed", "cost", "random"),
)
NARROW = ("rank", "method", "curve", "kept", "±", "lost 50 %", "go 5 %", "random")
WORDS = ("method", "curve", "random")  # headings of words; the others are numbers
WIDE = 116  # letters that all headings need


def board(cell: CellView, panel: Panel, track: str | None = None, width: int = WIDE) -> Table:
    """The rows of a panel; the curve runs from dense to the floor, one block for each point.

    Below ``WIDE`` letters the columns that can be read off the curve stay away.
    """
    dense = metric(cell.dense.value, cell.facts.unit) if cell.dense and cell.facts else "not measured"
    title = f"{cell.model}, {cell.task}: {panel.title.lower()}, {panel.setting} (dense {dense})"
    table = Table(title=Text(title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    headings = HEADINGS if width >= WIDE else NARROW
    for heading in headings:
        table.add_column(heading, justify="left" if heading in WORDS else "right", no_wrap=True)
    for row in panel.rows:
        if track is None or row.track == track:
            line = _line(panel, row)
            table.add_row(*(Text(line.get(heading, "")) for heading in headings), style="" if row.ranked else "dim")
    notes = [f"{row.method}: {row.reason}" for row in panel.rows if row.reason and not row.ranked]
    table.caption, table.caption_justify = (Text("\n".join(notes)) if notes else None), "left"
    return table


def _line(panel: Panel, row: Any) -> dict[str, str]:
    one = panel.series.get(row.method)
    curve = sparkline([stop.retained for stop in one.stops]) if one else ""
    if not row.ranked:
        return {"rank": DASH, "method": row.method, "curve": curve, "kept": row.status}
    half = (row.area_high - row.area_low) / 2
    lost = [percent(getattr(row, f"lost_{share}")) for share in (25, 50, 75)]
    words = [places(row.rank_all, row.rank_all_last), row.method, curve, fixed(row.area), fixed(half), *lost]
    words += [percent(row.removable_1), percent(row.removable_5), times(row.speedup_50), seconds(row.cost_seconds)]
    return dict(zip(HEADINGS, [*words, against(panel, row) or DASH], strict=True))


def sparkline(values: Sequence[float]) -> str:
    """Heights between chance (lowest) and dense (highest) as eight blocks."""
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(min(max(value, 0.0), 1.0) * top)] for value in values)


def kept_at(one: Series, share: float) -> float | None:
    """Quality kept with a share of the units gone, between two points linear; None beyond the last."""
    from headroom.results.measures import at

    known = [(place, stop.retained) for stop in one.stops if (place := stop.shares["units"]) is not None]
    return at([place for place, _ in known], [kept for _, kept in known], share) if known else None
