"""One order over all models and tasks: a table for each setting and group of units, and the duels behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headroom.results.records import Quality
from headroom.site.book import SETTINGS, Book
from headroom.site.panels import GROUPS

MOST = 12  # methods whose duels stand on the page; the others are in duels.csv
Duel = tuple[int, int, int]  # rows won, open, lost


@dataclass(frozen=True)
class Order:
    """All methods of one setting, quality and group of units; the complete ones first."""

    setting: str
    group: str
    title: str
    words: str
    rows: list[Any]  # of overall.csv
    duels: dict[tuple[str, str], Duel]  # seen from the first method
    paired: bool
    between_models: bool

    @property
    def name(self) -> str:
        """The first part of its ids."""
        return f"order-{self.setting.replace(' ', '-')}-{self.group}"

    @property
    def complete(self) -> list[Any]:
        """Rows that have a place."""
        return [row for row in self.rows if row.complete]

    @property
    def first(self) -> list[Any]:
        """Those that may be first."""
        return [row for row in self.complete if row.rank == 1]

    @property
    def best(self) -> list[str]:
        """Methods of the table of duels."""
        return [row.method for row in self.complete[:MOST]]


def orders(book: Book, quality: Quality) -> list[Order]:
    """The orders of a quality, attention units as they are first."""
    found = []
    for group, (title, words, _) in GROUPS.items():
        for setting in SETTINGS:
            rows = [row for row in book.overall if _key(row) == (setting, quality, group)]
            if rows:
                duels = [row for row in book.duels if _key(row) == (setting, quality, group)]
                fair = all(row.paired for row in rows)
                between = all(row.between_models for row in rows)
                found.append(Order(setting, group, title, words, rows, seen(duels), fair, between))
    return found


def seen(rows: Iterable[Any]) -> dict[tuple[str, str], Duel]:
    """Every duel from both sides."""
    found: dict[tuple[str, str], Duel] = {}
    for row in rows:
        found[row.method, row.other] = (row.wins, row.ties, row.losses)
        found[row.other, row.method] = (row.losses, row.ties, row.wins)
    return found


def _key(row: Any) -> tuple[str, str, str]:
    return row.setting, row.quality, row.group
