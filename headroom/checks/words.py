"""A check's or figure's row in ``checks.csv``, and what it is called there, in the terminal and on the pages.

Imports nothing of Headroom: pages need no torch.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CHECK = "check_"  # what begins so passes or fails; the others are figures
FIRST = {  # by what of a dead head is zero: one that only looks dead from inside is harder to find
    "all": "dead units among the first removed",
    "out": "dead units among the first removed, output zero",
    "value": "dead units among the first removed, values zero",
}
FIRST_VITAL = "units gone with the first vital one"
DISTANCE = "distance to the oracle"

COLUMNS = ("method", "model", "check", "figure", "low", "high", "verdict", "reason")
Verdict = Literal["passes", "fails", "expected failure", "not applicable"]


@dataclass(frozen=True)
class Result:
    """One check of one method on one model, or one figure; ``model`` is empty where no model matters."""

    method: str
    model: str
    check: str
    verdict: Verdict
    reason: str = ""
    figure: float | None = None
    low: float | None = None
    high: float | None = None


def at(share: float) -> str:
    """The distance of the one plan with this share gone."""
    return f"{DISTANCE} at {share:g}"


def in_words(check: str) -> str:
    """The name of a check as people read it."""
    return check.removeprefix(CHECK).replace("_", " ")


def write(path: Path, results: Iterable[Result]) -> None:
    """``checks.csv``: one row a check or figure, in the order in which they were made."""

    def shown(value: object) -> str:
        return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([shown(getattr(result, column)) for column in COLUMNS] for result in results)
