"""What the page that compares two methods needs: every curve, every map, and the paired differences there are."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import fmean
from typing import Any

from headroom.site.book import Book
from headroom.site.maps import Atlas, coded, mlp_of, short
from headroom.site.names import slug
from headroom.site.panels import CellView
from headroom.site.qualities import QUALITIES
from headroom.site.series import Series
from headroom.site.styles import SHAPES, look

FIRST = ("as is", "attention")  # setting and group of units that a reader is shown first


def methods(book: Book) -> dict[str, dict[str, Any]]:
    """Title and look of every method by its slug."""
    return {
        slug(name): {
            "n": book.titles[name],
            "c": look(name).colour + 1,
            "k": SHAPES.get(look(name).marker, "dot"),
            "d": look(name).dash,
        }
        for name in book.ranked_methods()
    }


def opening(book: Book, views: list[CellView]) -> list[str]:
    """The two that the page opens with, as slugs: the best of all and its random rival, or the two best without one.

    The best is first in the order over all models; where no method is ranked on all rows, the one of the largest mean
    area among those that are ranked on most.
    """
    panels = [panel for view in views for panel in view.panels if (panel.setting, panel.group) == FIRST]
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in (row for panel in panels for row in panel.rows if row.ranked):
        rows[row.method].append(row)
    quality = views[0].quality if views else QUALITIES[0]
    means = {
        row.method: row.area
        for row in book.overall
        if (row.setting, row.group, row.quality) == (*FIRST, quality) and row.complete and row.area is not None
    }

    def worth(method: str) -> tuple[float, ...]:
        return (means.get(method, -1.0), len(rows[method]), fmean(row.area for row in rows[method]))

    best = sorted((m for m in rows if not rows[m][0].stochastic), key=worth, reverse=True)
    rivals = [row.random_method for row in rows[best[0]] if row.random_method in rows] if best else []
    return [slug(method) for method in (best[:1] + rivals[:1] if rivals else best[:2])]


def neighbours(cells: list[CellView]) -> list[tuple[Any, Any]]:
    """Every ranked row that has a better one, with that one."""
    found = []
    for panel in (panel for cell in cells for panel in cell.panels):
        ranked = sorted((row for row in panel.rows if row.ranked), key=lambda row: -row.area)
        found += [(row, better) for better, row in pairwise(ranked) if row.behind is not None]
    return found


def cells(book: Book, views: list[CellView], atlases: dict[str, Atlas | None]) -> list[dict[str, Any]]:
    """For each model and task: curves by setting and method, maps by method, paired differences."""
    seen: set[str] = set()
    found = []
    for view in views:
        entry: dict[str, Any] = {"n": view.name, "model": view.model, "task": view.task}
        entry |= {"page": view.page, "curves": {}}
        for panel in view.panels:
            curves = entry["curves"].setdefault(panel.setting, {})
            rows = {row.method: row for row in panel.rows}
            for one in panel.series.values():
                curves[one.key] = _curve(one) | {"a": _area(rows[one.method]), "g": panel.group}
        atlas = atlases[view.model]
        if atlas and view.model not in seen:
            seen.add(view.model)
            entry["maps"] = _maps(atlas)
        if pairs := [one for one in book.pairs.get((view.model, view.task), ()) if quality_of(one) == view.quality]:
            entry["pairs"] = [_pair(row) for row in pairs]
        found.append(entry)
    return found


def quality_of(row: dict[str, str]) -> str:
    """The quality of a pair; older tables know one."""
    return row.get("quality", QUALITIES[0])


def _curve(one: Series) -> dict[str, Any]:
    """Percentages with one digit: share of units, quality kept and its interval."""
    known = [stop for stop in one.stops if stop.shares["units"] is not None]
    return {
        "x": [round(100 * (stop.shares["units"] or 0.0), 1) for stop in known],
        "y": [round(100 * stop.retained, 1) for stop in known],
        "l": [round(100 * stop.low, 1) for stop in known],
        "h": [round(100 * stop.high, 1) for stop in known],
    }


def _area(row: Any) -> list[float] | None:
    return [round(value, 4) for value in (row.area, row.area_low, row.area_high)] if row.ranked else None


def _maps(atlas: Atlas) -> dict[str, Any]:
    """Steps in per cent; sites as [name, width, place of the first head, place of the MLP or -1]; maps by method."""
    places = atlas.anatomy.places()
    mlps = {place[0]: at for at, place in enumerate(places) if place[0] in atlas.anatomy.mlps}
    sites = []
    for site in atlas.anatomy.sites:
        mlp = -1 if ".cross." in site else mlps.get(mlp_of(site), -1)
        sites.append([short(site), atlas.anatomy.widths[site], places.index((site, 0)), mlp])
    steps = len(atlas.targets)
    return {
        "t": [round(100 * target, 1) for target in atlas.targets],
        "s": sites,
        "m": {one.key: coded(one, places, steps) for one in atlas.maps},
    }


def _pair(row: dict[str, str]) -> list[Any]:
    """[setting, method, other, difference of areas, its low and high end]."""
    ends = [round(float(row[name]), 4) for name in ("difference", "difference_low", "difference_high")]
    return [row["setting"], slug(row["method"]), slug(row["other"]), *ends]
