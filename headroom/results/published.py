"""What an earlier `collect` found of models whose counts per example lie elsewhere, and only there can be drawn from.

A profile is measured in parts, on several machines, and its counts are not always where its records are. A board
whose rows are what they were has the same intervals and pairs, so these are taken from the tables that are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.errors import UserError
from headroom.results.board_rows import LeaderboardRow, PairRow
from headroom.results.rows import AnswerRow
from headroom.results.write import read_table, text

WHOSE = ("model", "task", "setting", "quality", "group")
SAME = ("area", "seeds", "lost_25", "lost_50", "lost_75")  # what records alone say of a row
DRAWN = (  # what draws say of it
    *("area_low", "area_high", "behind_low", "behind_high", "paired"),
    *("rank", "rank_last", "rank_all", "rank_all_last"),
    *("visible_area", "visible_25", "visible_50"),
)


def earlier(folder: Path, name: str) -> list[Any]:
    """The rows of a table as they lie there; one that is missing, damaged or of other columns is as good as none."""
    try:
        return read_table(folder, name)
    except (UserError, OSError):
        return []


@dataclass(frozen=True)
class Known:
    """What is known of a board: the columns of each method that come from draws, and its pairs."""

    columns: Mapping[str, Mapping[str, Any]]
    pairs: Sequence[PairRow]


@dataclass(frozen=True)
class Published:
    """Tables as they lie in a results folder."""

    board: Sequence[Any] = ()
    pairs: Sequence[PairRow] = ()
    answers: Sequence[AnswerRow] = ()

    @classmethod
    def of(cls, folder: Path) -> Published:
        """What is there, see ``earlier``."""
        return cls(*(earlier(folder, name) for name in ("leaderboard", "pairs", "answers")))

    def known(self, members: Sequence[Mapping[str, Any]]) -> Known | None:
        """What was found of these rows, which are ranked together; None unless all are the same, and no other was."""
        whose = [members[0][name] for name in WHOSE]
        rows = {row.method: row for row in self.board if row.ranked and [getattr(row, one) for one in WHOSE] == whose}
        if rows.keys() != {row["method"] for row in members} or not all(row.paired for row in rows.values()):
            return None
        for row in members:
            then = rows[row["method"]]
            if any(said(name, row.get(name)) != said(name, getattr(then, name)) for name in SAME):
                return None
        columns = {method: {name: getattr(row, name) for name in DRAWN} for method, row in rows.items()}
        return Known(columns, [pair for pair in self.pairs if [getattr(pair, one) for one in WHOSE] == whose])


def said(name: str, value: Any) -> str:
    """A figure with the digits of the table, which are all that is left of an earlier one."""
    return text(LeaderboardRow, name, value)
