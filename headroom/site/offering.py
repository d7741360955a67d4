"""What the tables of a profile have to offer a reader with a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from headroom.results.offers import Offer, offers
from headroom.site.book import Book


def offered(book: Book) -> list[Offer]:
    """Every step that was measured of every method: ``results.choosing.answers`` chooses among them."""
    board, quality, curves, speeds = (_rows(table) for table in (book.board, book.quality, book.curves, book.speeds))
    return offers(book.records.cells, board, quality, curves, speeds)


def _rows(table: Mapping[Any, Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(table.values()))
