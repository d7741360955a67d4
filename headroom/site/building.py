"""Build the site of a profile from its tables and records: no torch, no network, the same bytes from the same input."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headroom.site.archiving import Board, earlier
from headroom.site.book import Book, read_book
from headroom.site.charts import CurveChart, ParetoChart, timed
from headroom.site.downloads import copy_data
from headroom.site.drawing import Chart, draw_all
from headroom.site.installing import pages_in
from headroom.site.labels import foremost
from headroom.site.maps import STEPS
from headroom.site.names import panel_name
from headroom.site.pages import Site
from headroom.site.panels import CellView, cell_view
from headroom.site.qualities import WORDS
from headroom.site.reference import PublishedChart, drawable, published_of
from headroom.site.series import AXES
from headroom.site.speeds import charts as speed_charts
from headroom.site.speeds import speed_views
from headroom.site.templating import Sibling

STATIC = Path(__file__).parent / "static"


def build(
    profile: str, results: Path, out: Path, siblings: Mapping[str, Sibling] | None = None, sites: Iterable[Path] = ()
) -> None:
    """Write the pages of a profile into ``out``. ``collect`` has to have run.

    ``siblings`` are the profiles that a reader can switch to, by name, itself among them. The board that ``out`` shows
    is kept in its archive where the tables are others by now, and so are those of other ``sites`` of the profile.
    """
    book = read_book(profile, results)
    before = earlier(dict.fromkeys([out, *sites]), book.folder)
    with pages_in(out) as draft:
        write(book, draft, siblings or {}, before)


def write(book: Book, out: Path, siblings: Mapping[str, Sibling], before: list[Board]) -> None:
    """Every page, chart and file of a profile, and the boards before this one."""
    cells = sorted((cell_view(book, *board) for board in book.boards), key=lambda cell: cell.answer.best is None)
    views = speed_views(book)
    published = _published(cells, {m: record.paper for m in book.methods if (record := book.source(m))})
    shown: list[Chart] = [*_curves(cells), *_paretos(cells), *speed_charts(views), *published.values()]
    drawn = draw_all(shown, out / "figures")
    drawn |= draw_all(_frames(cells), None)
    dress(out)
    site = Site(book, cells, views, drawn, out, dict(siblings), copy_data(book.folder, out), before=before)
    site.write()


def dress(out: Path) -> None:
    """Scripts and style sheet."""
    shutil.copytree(STATIC, out / "assets")
    with (out / "assets" / "site.css").open("a", encoding="utf-8", newline="\n") as file:
        file.write(step_rules())


def step_rules() -> str:
    """Style rules of the maps: at a step, what is gone there is hollow. Radio buttons choose it without scripts."""
    by_attribute = [f'.maps[data-at="{n}"]:not(:has(:checked)) i[data-r*="{n}"]' for n in STEPS]
    by_button = [f'.maps:has([value="{n}"]:checked) i[data-r*="{n}"]' for n in STEPS]
    return ",\n".join([*by_attribute, *by_button]) + " { background: transparent; opacity: .45; }\n"


def _curves(cells: list[CellView]) -> list[Chart]:
    panels = [panel for cell in cells for panel in cell.panels if panel.series]
    return [
        CurveChart(
            panel.name,
            f"{panel.model}, {panel.task}: {panel.title.lower()}, {panel.setting}; {WORDS[panel.quality].kept}",
            panel.axis,
            AXES[panel.axis],
            tuple(panel.series.values()),
            foremost(panel.rows, panel.series),
        )
        for panel in panels
    ]


def _paretos(cells: list[CellView]) -> list[Chart]:
    found: list[Chart] = []
    for cell in cells:
        for setting in cell.settings:
            if cell.pareto(setting):
                panels = [panel for panel in cell.panels if panel.setting == setting]
                chosen = tuple(one for panel in panels for one in panel.series.values())
                rows = [row for panel in panels for row in panel.rows]
                best = foremost(rows, {one.method for one in chosen if timed(one)}, cell.front(setting))
                title = f"{cell.model}, {cell.task}: {cell.says.kept} against measured speed, {setting}"
                name = panel_name(cell.model, cell.task, setting, "pareto", cell.quality)
                found.append(ParetoChart(name, title, chosen, best))
    return found


def _frames(cells: list[CellView]) -> list[Chart]:
    """Empty charts for the page that compares two methods: the scripts draw into them."""
    label = AXES["units"]
    return [CurveChart(f"{cell.name}-frame", "", "units", label, (), frame_only=True) for cell in cells]


def _published(cells: list[CellView], papers: Mapping[str, Any]) -> dict[str, Chart]:
    found: dict[str, Chart] = {}
    for method, paper in papers.items():
        panels = [p for cell in cells if cell.quality == "task" for p in cell.panels if method in p.series]
        grains = {grain for p in panels for row in p.rows if row.method == method for grain in row.grains.split("+")}
        rows = drawable(published_of(paper, grains))
        if rows and panels:
            ours = tuple(panel.series[method] for panel in panels)
            marks = tuple(dict.fromkeys((row.share or 0.0, row.kept or 0.0) for row in rows))
            chart = PublishedChart(f"published-{ours[0].key}", f"{method}: published beside ours", method, ours, marks)
            found[method] = chart
    return found
