"""Boards that were published before: what a build writes over is kept, as its tables and a plain page.

Kept is the last board of a day that readers could see: one that is committed, or that lies outside of Git, as on a
server. What somebody builds again and again before a commit leaves no trace.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from headroom.site.changes import git
from headroom.site.installing import ours

FOLDER = "archive"
TABLE = "leaderboard.csv"
TABLES = (TABLE, "overall.csv", "claims.csv", "floors.csv")  # where one differs the board is another one
KEPT = (*TABLES, "dictionary.md")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}(-\d+)?")
Where = tuple[str, str, str, str]  # model, task, setting, quality


@dataclass(frozen=True)
class Board:
    """A board as it was: the day of its publication, and its tables by file name."""

    day: str
    files: dict[str, bytes]

    @property
    def place(self) -> str:
        """Its folder, from the top of the site."""
        return f"{FOLDER}/{self.day}"

    @property
    def rows(self) -> dict[Where, list[dict[str, str]]]:
        """Rows of its leaderboard by board, as text; a table of an older Headroom lacks columns."""
        found: dict[Where, list[dict[str, str]]] = {}
        for row in csv.DictReader(io.StringIO(self.files[TABLE].decode("utf-8", "replace"))):
            where = (
                row.get("model") or "",
                row.get("task") or "",
                row.get("setting") or "",
                row.get("quality") or "task",
            )
            found.setdefault(where, []).append({key: value or "" for key, value in row.items() if key})
        return found

    def same(self, other: Board) -> bool:
        """Whether no table differs that both have."""
        return all(
            self.files[name] == other.files[name] for name in TABLES if name in self.files and name in other.files
        )


def earlier(sites: Iterable[Path], tables: Path) -> list[Board]:
    """The boards before that of ``tables``, the last one first: those that a site has kept, and what it shows now."""
    now = Board("", _files(tables, set(KEPT)))
    found: list[Board] = []
    for site in sites:
        own = ours(site)
        folders = sorted({name.split("/")[1] for name in own if re.fullmatch(rf"{FOLDER}/{DAY.pattern}/{TABLE}", name)})
        boards = [Board(day, _files(site / FOLDER / day, set(KEPT))) for day in folders]
        if f"data/{TABLE}" in own and (day := _published(site / "data" / TABLE)):
            shown = Board(day, _files(site / "data", {name for name in KEPT if f"data/{name}" in own}))
            boards += [] if shown.same(now) else [shown]
        found += [one for one in boards if TABLE in one.files and not any(one.same(other) for other in found)]
    return sorted(_apart(found), key=lambda board: [int(part) for part in board.day.split("-")], reverse=True)


def read(row: dict[str, str], name: str) -> float | None:
    """A number of an old table; None where it has none."""
    try:
        value = float(row.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _files(folder: Path, names: set[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in sorted(names) if (folder / name).is_file()}


def _apart(boards: list[Board]) -> list[Board]:
    """Boards of one day under names of their own: 2026-11-26, 2026-11-26-2."""
    found: dict[str, Board] = {}
    for board in boards:
        day, number = board.day, 1
        while day in found:
            number += 1
            day = f"{board.day[:10]}-{number}"
        found[day] = Board(day, board.files)
    return list(found.values())


def _published(table: Path) -> str:
    """The day on which readers could see it first; empty where it is not committed yet."""
    folder, name = table.parent, table.name
    inside = git(folder, "rev-parse", "--is-inside-work-tree").strip() == "true"
    if inside and git(folder, "ls-files", "--", name).strip():
        clean = not git(folder, "status", "--porcelain", "--", name).strip()
        return git(folder, "log", "-n1", "--format=%cs", "--", name).strip() if clean else ""
    if inside and not git(folder, "check-ignore", "--", name).strip():
        return ""
    return datetime.fromtimestamp(table.stat().st_mtime, UTC).date().isoformat()
