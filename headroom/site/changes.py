"""What moved, and why: every commit that changed a profile's leaderboard, read from Git.

The reason of a change is the commit's own subject. Without Git, or in a copy without history, there is nothing to tell.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MOST = 20  # commits
LEAST_MOVE = 0.0005  # of an area; below it a row shows the same three digits
Rows = dict[tuple[str, str, str, str, str], dict[str, str]]  # (model, task, setting, quality, method)


@dataclass(frozen=True)
class Move:
    """One row that changed: its area before and after; empty where it came or went."""

    model: str
    task: str
    setting: str
    quality: str
    method: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Change:
    """One commit that changed the leaderboard."""

    commit: str
    date: str  # ISO 8601
    subject: str
    moves: tuple[Move, ...]


def history(folder: Path) -> list[Change]:
    """Changes of the leaderboard in ``folder``, the last one first."""
    table = folder / "leaderboard.csv"
    log = git(folder, "log", f"-n{MOST + 1}", "--format=%H%x1f%cI%x1f%s", "--", table.name)
    commits = [line.split("\x1f") for line in log.splitlines() if line.count("\x1f") == 2]
    tables = [_rows(git(folder, "show", f"{commit}:./{table.name}")) for commit, _, _ in commits]
    tables.append({})
    found = [
        Change(commit, date, subject, tuple(moved(tables[place + 1], tables[place])))
        for place, (commit, date, subject) in enumerate(commits[:MOST])
    ]
    return [change for change in found if change.moves]


def moved(before: Rows, after: Rows) -> list[Move]:
    """Rows whose area changed visibly, came or went, the largest change first."""
    moves = []
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = (_area(rows.get(key)) for rows in (before, after))
        gone = old is None or new is None
        if (old, new) != (None, None) and (gone or abs((old or 0) - (new or 0)) >= LEAST_MOVE):
            moves.append(Move(*key, old, new))
    return sorted(moves, key=lambda move: -abs((move.before or 0) - (move.after or 0)))


def _area(row: dict[str, str] | None) -> float | None:
    try:
        return float(row["area"]) if row else None
    except (KeyError, ValueError):
        return None


def _rows(text: str) -> Rows:
    """By what a row is of. Tables from before agreement was measured have no such column: theirs is the task's."""
    names = ("model", "task", "setting", "method")
    return {
        (row["model"], row["task"], row["setting"], row.get("quality") or "task", row["method"]): row
        for row in csv.DictReader(io.StringIO(text))
        if all(name in row for name in names)
    }


def git(folder: Path, *words: str) -> str:
    """What Git says in a folder; nothing where it refuses, or is not there."""
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return ""
    command = [git, "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    return done.stdout if done.returncode == 0 else ""
