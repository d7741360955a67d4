"""The site of the real shapes: random weights have speed and no quality, so there is one page, and its data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from headroom.results.load import load
from headroom.results.rows import Row, ThroughputRow
from headroom.results.write import read_table
from headroom.shapes.params import ShapesParams
from headroom.shapes.tables import PublishedRow
from headroom.site.book import Book, by
from headroom.site.building import dress
from headroom.site.downloads import copy_data
from headroom.site.drawing import draw_all
from headroom.site.installing import pages_in
from headroom.site.pages import Site
from headroom.site.speeds import charts, speed_views
from headroom.site.templating import Sibling

NAV = (
    ("index.html", "Real shapes"),
    ("data/index.html", "Data"),
    ("methodology.html", "How it is measured"),
    ("contribute.html", "Contribute"),
)
TABLES: dict[str, type[Row]] = {"throughput": ThroughputRow, "published": PublishedRow}
TITLES = {"head": "Heads", "kv_group": "KV groups", "attention": "Attention layers", "mlp": "MLPs", "block": "Blocks"}


@dataclass(frozen=True)
class Realised:
    """How much of the ideal speed-up was measured, over all timings of a kind."""

    count: int
    least: float
    middle: float
    most: float


def build(params: ShapesParams, results: Path, out: Path, siblings: Mapping[str, Sibling] | None = None) -> None:
    """Write the pages into ``out``. Raises ``UserError`` when `headroom stage shapes collect` has not run."""
    book = read_book(params, results)
    published = read_table(book.folder, "published", PublishedRow)
    with pages_in(out) as draft:
        write(book, published, draft, siblings or {})


def write(book: Book, published: list[PublishedRow], out: Path, siblings: Mapping[str, Sibling]) -> None:
    """The page, its charts and its data."""
    views = speed_views(book)
    drawn = draw_all(charts(views), out / "figures")
    dress(out)
    downloads = copy_data(book.folder, out, TABLES)
    site = Site(book, [], views, drawn, out, dict(siblings), downloads, NAV, TABLES)
    timed = [row for rows in book.speeds.values() for row in rows if row.status == "ok"]
    site.page(
        "index.html",
        "shapes.html",
        "speed",
        ("table", "chart"),
        views=views,
        published=published,
        near=realised(timed),
        weighed=[row for row in timed if row.memory_mb is not None],
        untimed=untimed(book),
    )
    site.words()


def read_book(params: ShapesParams, results: Path) -> Book:
    """The timings of the profile, with its grains where other profiles have methods."""
    rows = read_table(results, "throughput")
    models = [name for name in params.shapes if any(row.model == name for row in rows)]
    records = load(params.profile, params.grains, models, results)
    nothing: dict[str, Any] = {"board": {}, "quality": {}, "curves": {}, "floors": []}
    speeds = by(rows, "model", "method")
    return Book(params.profile, results, records, params.grains, models, TITLES, speeds=speeds, **nothing)


def realised(rows: list[Any]) -> dict[tuple[str, str], dict[str, Realised]]:
    """By what bounds the work and by number format, the share of the ideal for each grain."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.realised is not None:
            found[row.bound, row.dtype][row.method].append(row.realised)
    return {
        kind: {
            grain: Realised(len(values), min(values), median(values), max(values)) for grain, values in grains.items()
        }
        for kind, grains in sorted(found.items())
    }


def untimed(book: Book) -> dict[str, str]:
    """Shapes without any timing, and why."""
    found = {}
    for model in book.models:
        rows = [row for method in book.methods for row in book.speeds.get((model, method), ())]
        if all(row.status != "ok" for row in rows):
            found[model] = rows[0].reason
    return found
