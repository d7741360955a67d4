"""The leaderboard, with as many columns as the terminal has room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from headroom.site.numbers import DASH, fixed, metric, percent, places, seconds, times
from headroom.site.panels import CellView, Panel
from headroom.site.qualities import QUALITIES, WORDS
from headroom.site.series import Series
from headroom.site.verdicts import against
from headroom.terminal.layout import fits, wrapped
from headroom.terminal.power import go, legend

BLOCKS = "▁▂▃▄▅▆▇█"
TEXTS = ("method", "curve", "random")  # headings of words; the others are numbers
HEADINGS = (
    *("rank", "method", "curve", "kept", "±", "lost\n25 %", "lost\n50 %", "lost\n75 %"),
    *("go\n1 %", "go\n5 %", "speed", "cost", "random"),
)
SPARE = (  # the first to stay away first
    *("cost", "speed", "go\n1 %", "lost\n25 %", "lost\n75 %", "go\n5 %"),
    *("±", "random", "lost\n50 %", "rank", "curve"),
)


def board(cell: CellView, panel: Panel, track: str | None = None, width: int = 120) -> Group:
    """The rows of a panel; the curve runs from dense to the floor, one block for each point.

    Where so many letters cannot hold every column whole, those that say least stay away. A row with neither rank nor
    curve stands in the notes alone, with its reason.
    """
    rows = [row for row in panel.rows if track is None or row.track == track]
    drawn = [row for row in rows if row.ranked or row.method in panel.series]
    cells = [dict(zip(HEADINGS, _cells(panel, row), strict=True)) for row in drawn]
    table = Table(box=None, header_style="bold", pad_edge=False)
    headings = fitting(cells, width)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in TEXTS else "right", no_wrap=True)
    for row, line in zip(drawn, cells, strict=True):
        table.add_row(*(Text(line[str(column.header)]) for column in table.columns), style="" if row.ranked else "dim")
    dense = metric(cell.dense.value, cell.facts.unit) if cell.dense and cell.facts else "not measured"
    if panel.tuned is not None:
        dense += f"; fine-tuned alike it keeps {percent(panel.tuned)} % of that"
    by = "" if panel.quality == QUALITIES[0] else f", {WORDS[panel.quality].noun}"
    title = f"{cell.model}, {cell.task}{by}: {panel.title.lower()}, {panel.setting} (dense {dense})"
    notes = (line for note in (*legend(drawn, headings), *unranked(rows)) for line in wrapped(note, width))
    return Group(Text(title, "italic"), table, *(Text(line, "dim italic") for line in notes))


def _cells(panel: Panel, row: Any) -> list[str]:
    one = panel.series.get(row.method)
    curve = sparkline([stop.retained for stop in one.stops]) if one else ""
    if not row.ranked:
        return [DASH, row.method, curve, *[""] * (len(HEADINGS) - 3)]
    half = (row.area_high - row.area_low) / 2
    lost = [percent(getattr(row, f"lost_{share}")) for share in (25, 50, 75)]
    words = [places(row.rank_all, row.rank_all_last), row.method, curve, fixed(row.area), fixed(half), *lost]
    words += [go(row, "1"), go(row, "5"), times(row.speedup_50), seconds(row.cost_seconds)]
    return [*words, against(panel, row) or DASH]


def fitting(lines: Sequence[dict[str, str]], width: int) -> list[str]:
    """The headings of the columns that fit side by side, in their order."""
    headings = list(HEADINGS)
    for spare in SPARE:
        if fits([[*heading.split("\n"), *(line[heading] for line in lines)] for heading in headings], width):
            break
        headings.remove(spare)
    return headings


def unranked(rows: Iterable[Any]) -> list[str]:
    """A sentence for the methods that share a status and a reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not row.ranked:
            groups.setdefault((row.status, row.reason), []).append(row.method)
    return [
        ", ".join([*methods, status]) + (f": {reason}" if reason else "")
        for (status, reason), methods in groups.items()
    ]


def sparkline(values: Sequence[float]) -> str:
    """Heights between chance (lowest) and dense (highest) as eight blocks."""
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(min(max(value, 0.0), 1.0) * top)] for value in values)


def kept_at(one: Series, share: float) -> float | None:
    """Quality kept with a share of the units gone, between two points linear; None beyond the last."""
    from headroom.results.curves import at

    known = [(place, stop.retained) for stop in one.stops if (place := stop.shares["units"]) is not None]
    return at([place for place, _ in known], [kept for _, kept in known], share) if known else None
