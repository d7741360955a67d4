"""What came of `headroom check`: figures on models of which the truth is known, and checks, those alike together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headroom.checks.words import CHECK, FIRST, at, in_words

Row = dict[str, str]  # of checks.csv, as text: other parts of Headroom write it
COLUMNS = {  # of the table of all methods; distances over all plans of a method depend on which it has, so one share
    FIRST["all"]: "Dead units among the first removed",
    at(0.5): "Distance to the oracle, half gone",
}


@dataclass(frozen=True)
class Group:
    """Checks of one method that came out alike, for one reason."""

    check: str
    verdict: str
    reason: str
    models: list[str]


@dataclass(frozen=True)
class Checked:
    """Everything asked of one method."""

    method: str
    groups: list[Group]
    figures: dict[str, dict[str, Row]]  # by figure, then by model

    @property
    def tally(self) -> Counter[str]:
        """How many checks came out how; one without a model counts once."""
        found: Counter[str] = Counter()
        for group in self.groups:
            found[group.verdict] += max(len(group.models), 1)
        return found

    @property
    def models(self) -> list[str]:
        """Models that it has figures on."""
        return list(dict.fromkeys(model for rows in self.figures.values() for model in rows))


def checked(rows: Sequence[Row]) -> list[Checked]:
    """The rows by method, in their own order."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row.get("method", ""), []).append(row)
    return [_checked(method, own) for method, own in methods.items()]


def _checked(method: str, rows: list[Row]) -> Checked:
    groups: dict[tuple[str, str, str], list[str]] = {}
    figures: dict[str, dict[str, Row]] = {}
    for row in rows:
        check, model = row.get("check", ""), row.get("model", "")
        if check.startswith(CHECK):
            key = (in_words(check), row.get("verdict", ""), row.get("reason", ""))
            groups.setdefault(key, []).extend([model] if model else [])
        elif row.get("figure"):
            figures.setdefault(check, {})[model] = row
    return Checked(method, [Group(*key, models) for key, models in groups.items()], figures)


def toys(found: Sequence[Checked]) -> list[str]:
    """The models that any method has figures on."""
    return list(dict.fromkeys(model for one in found for model in one.models))
