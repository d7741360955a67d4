"""What the papers said, one entry for each prediction: where it was tested, what came out, and where it cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headroom.site.numbers import MINUS

Row = dict[str, str]  # of claims.csv, as text: other parts of Headroom write it
UNTESTED = "not testable here"
VERDICTS = ("holds", "does not hold", "undecided", UNTESTED)  # in the order in which they are counted
SIGNS = {"holds": "\N{CHECK MARK}", "does not hold": "\N{MULTIPLICATION X}", "undecided": "?"}
PAPERS = {  # by the first letter of a prediction's id
    "B": "Budhraja et al. 2020",
    "M": "Michel, Levy and Neubig 2019",
    "V": "Voita et al. 2019",
    "G": "Ni, Mao et al. 2023, grouped heads",
    "L": "He et al. 2024, LLM-Drop",
    "F": "Zhang et al. 2024, FinerCut",
    "P": "Sun et al. 2024, painters",
    "N": "Lin et al. 2024, vision transformers",
}


@dataclass(frozen=True)
class Claim:
    """One prediction and its rows."""

    name: str
    source: str
    says: str
    figure: str  # what its figure counts
    tested: list[Row]
    untested: list[tuple[str, list[str]]]  # a reason, and the models and tasks that it holds for

    @property
    def nowhere(self) -> bool:
        """Whether one reason keeps it from being tested at all."""
        return not self.tested and len(self.untested) == 1


@dataclass(frozen=True)
class Mark:
    """How one prediction came out on one task of a model."""

    claim: str
    task: str
    verdict: str


@dataclass(frozen=True)
class Paper:
    """The predictions of one paper."""

    name: str
    source: str
    claims: list[Claim]
    marks: dict[str, list[Mark]]  # by model, in the order of the verdicts, so that a cell reads as a count

    def untested(self, model: str) -> int:
        """How many of its rows a model cannot test."""
        return sum(mark.verdict == UNTESTED for mark in self.marks.get(model, ()))

    def tested(self, model: str) -> list[Mark]:
        """The others."""
        return [mark for mark in self.marks.get(model, ()) if mark.verdict != UNTESTED]

    @property
    def tally(self) -> str:
        """How many rows came out how, in words."""
        found = tally([row for claim in self.claims for row in claim.tested])
        return ", ".join(f"{verdict} {count}\N{MULTIPLICATION SIGN}" for verdict, count in found.items()) or UNTESTED


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows came out how, without the verdicts that none has."""
    found = Counter(row.get("verdict", "") for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def papers(rows: Sequence[Row]) -> list[Paper]:
    """The rows by paper and prediction, in their own order."""
    claims: dict[str, list[Row]] = {}
    for row in rows:
        claims.setdefault(row.get("id", ""), []).append(row)
    found: dict[str, list[Claim]] = {}
    for name, own in claims.items():
        claim = _claim(name, own)
        found.setdefault(PAPERS.get(name[:1], claim.source), []).append(claim)
    return [Paper(name, own[0].source.partition(",")[0], own, _marks(own, claims)) for name, own in found.items()]


def _marks(own: Sequence[Claim], rows: dict[str, list[Row]]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for row in (row for claim in own for row in rows[claim.name]):
        mark = Mark(row.get("id", ""), row.get("task", ""), row.get("verdict", ""))
        found.setdefault(row.get("model", ""), []).append(mark)
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    return {model: sorted(marks, key=lambda mark: order.get(mark.verdict, 0)) for model, marks in found.items()}


def models(rows: Sequence[Row]) -> list[str]:
    """The models that predictions were tried on, in the order of the rows."""
    return list(dict.fromkeys(row.get("model", "") for row in rows))


def _claim(name: str, rows: list[Row]) -> Claim:
    says, _, figure = rows[0].get("prediction", "").partition(" Figure: ")
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.get("verdict") == UNTESTED:
            reasons.setdefault(row.get("reason", ""), []).append(place(row))
    tested = [row for row in rows if row.get("verdict") != UNTESTED]
    return Claim(name, rows[0].get("source", ""), says, figure, tested, list(reasons.items()))


def place(row: Row) -> str:
    """Model and task of a row."""
    return ", ".join(filter(None, (row.get("model", ""), row.get("task", ""))))


def figures(row: Row, digits: int | None = None) -> list[str]:
    """Figure and ends of its interval with so many digits, or as their size bears; what is no number stays as it is."""
    given = [row.get(name, "") for name in ("figure", "low", "high")]
    try:
        largest = max((abs(float(one)) for one in given if one), default=0.0)
        digits = sum(largest < limit for limit in (1, 10, 100)) if digits is None else digits
        return [f"{float(one):.{digits}f}".replace("-", MINUS) if one else "" for one in given]
    except ValueError:
        return given
