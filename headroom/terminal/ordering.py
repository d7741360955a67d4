"""One order over all models and tasks, on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from headroom.results.records import Quality
from headroom.site.book import Book
from headroom.site.numbers import DASH, fixed, places
from headroom.site.ordering import Order, orders
from headroom.site.qualities import WORDS
from headroom.terminal.layout import Listing

HEADINGS = ("method", "rank", "kept", "95 % interval", "rows", "won", "open", "lost")
WEIGHTS = "kept: mean area under the curves; models weigh the same, and so do the tasks of a model."
NONE = "No order over all models: overall.csv is not there, or nothing is ranked. `dvc repro collect` makes it."
DUELS = "won, open, lost: a duel is a row and a rival; the interval of their difference decides it."


def orders_of(book: Book, qualities: Iterable[Quality], setting: str | None) -> list[Listing | Text]:
    """The orders of some qualities and, where one is named, of one setting; a sentence where the tables hold none."""
    if not book.overall:
        return [Text(NONE)]
    return [
        order(found, WORDS[quality].name)
        for quality in qualities
        for found in orders(book, quality)
        if (setting or found.setting) == found.setting
    ]


def order(found: Order, metric: str) -> Listing:
    """A row for each method; one that is missing somewhere has no place, and says where it is missing."""
    first = found.rows[0]
    title = f"All models: {found.title.lower()}, {found.setting}, by {metric}"
    asked = f"{first.rows_asked} rows (model and task) of {count(first.models, 'model')}"
    caption = " ".join(filter(None, (f"{asked}.", WEIGHTS, of_interval(found), DUELS)))
    listing = Listing(title, HEADINGS, frozenset(HEADINGS[1:]), caption)
    for row in found.rows:
        place = places(row.rank, row.rank_last)
        interval = DASH if row.area is None else f"{fixed(row.area_low)} to {fixed(row.area_high)}"
        duels = (str(number) for number in (row.wins, row.ties, row.losses))
        rows = str(row.rows) if row.complete else f"{row.rows} of {row.rows_asked}"
        listing.add(row.method, place, fixed(row.area), interval, rows, *duels, text=lacking(row), style=style(row))
    return listing


def of_interval(found: Order) -> str:
    """What the intervals hold, and what they do not."""
    over = "resample examples and models" if found.between_models else "resample the examples of the one model alone"
    lent = "" if found.paired else "; rows without scores by example lend their own intervals"
    return f"Intervals {over}{lent}."


def lacking(row: Any) -> str:
    """Where a method is not ranked, in a sentence; empty for one that is ranked on all rows."""
    if row.complete:
        return ""
    return f"Not ranked on {row.missing}." if row.rows else "Ranked on none of them."


def style(row: Any) -> str:
    """Rows without a place stand back."""
    return "" if row.complete else "dim"


def count(number: int, what: str) -> str:
    """``1 model``, ``5 models``."""
    return f"{number} {what}" + ("" if number == 1 else "s")
