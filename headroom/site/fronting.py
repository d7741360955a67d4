"""The front page's selectors, and the panels that they can choose."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from headroom.site.book import Book
from headroom.site.names import slug
from headroom.site.panels import CellView, Panel
from headroom.site.series import measured


def options(book: Book, cells: list[CellView]) -> dict[str, list[tuple[str, str]]]:
    """(value, words) of every selector of the leaderboard."""
    panels = [panel for cell in cells for panel in cell.panels]
    rows = [row for panel in panels for row in panel.rows]
    every = [("", "all")]

    def same(values: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in dict.fromkeys(values)]

    machines = dict.fromkeys(row.machine for found in book.speeds.values() for row in found if row.status == "ok")
    words = {"units": "units removed", "attention": "attention parameters", "parameters": "all parameters"}
    words |= {"macs": "multiply-accumulates", "speed": "measured speed"}
    return {
        "model": same(cell.model for cell in cells),
        "task": same(cell.task for cell in cells),
        "setting": same(panel.setting for panel in panels),
        "units": list(dict.fromkeys((panel.group, panel.title.lower()) for panel in panels)),
        "grain": every
        + [(g, g.replace("_", " ").replace("+", " and ")) for g in sorted({r.grains for r in rows if r.grains})],
        "track": every + same(sorted({row.track for row in rows if row.track})),
        "machine": [(name, book.machine(name)) for name in machines],
        "x": [("", "as ranked"), *words.items()],
    }


def overall(cells: list[CellView]) -> dict[tuple[str, str, str], Any]:
    """The row of every (model, task, method) for the picture of all: as is where there is one."""
    found: dict[tuple[str, str, str], Any] = {}
    for panel in (panel for cell in cells for panel in cell.panels):
        for row in panel.rows:
            found.setdefault((panel.model, panel.task, row.method), row)
    return found


def whole(book: Book, cells: list[CellView]) -> list[tuple[str, list[str]]]:
    """Methods by the kind of units that they are ranked among, in the words of the panels; best mean area first."""
    found: dict[str, dict[str, list[float]]] = {}
    for panel in (panel for cell in cells for panel in cell.panels):
        for row in panel.rows:
            found.setdefault(panel.title, {}).setdefault(row.method, []).append(row.area if row.ranked else 0.0)
    kinds = {method: title for title, methods in found.items() for method in methods}
    ranked = {title: [m for m in book.ranked_methods() if kinds.get(m) == title] for title in found}
    return [(title, sorted(names, key=lambda m: -fmean(found[title][m]))) for title, names in ranked.items() if names]


def board(book: Book, panel: Panel) -> dict[str, Any]:
    """What the scripts need to find a panel; speeds by machine where there are several."""
    machines = {row.machine for row in book.speeds.get((panel.model, panel.rows[0].method), ()) if row.status == "ok"}
    other = {
        m: {slug(r.method): measured(book, panel.model, r.method, m) for r in panel.rows} for m in sorted(machines)
    }
    found = {"n": panel.name, "model": panel.model, "task": panel.task, "setting": panel.setting, "units": panel.group}
    return found | ({"speeds": other} if len(other) > 1 else {})
