"""The claims table on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group

from headroom.config.params import Params
from headroom.errors import UserError, suggest
from headroom.results.rows import ClaimRow
from headroom.results.write import read_table
from headroom.terminal.layout import Listing

STYLES = {"holds": "green", "does not hold": "red", "undecided": "yellow", "not testable here": "dim"}


def table(params: Params, model: str | None = None) -> Group:
    """Verdicts by claim and model with their figures; of one model with the reasons. Under them the counts.

    Raises ``UserError`` when the claims stage has not run, or for a model that the profile does not list.
    """
    path = params.results / "claims.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist. Run `dvc repro claims`, or `headroom stage claims`, to make it.")
    if model is not None and model not in params.models:
        raise UserError(f"profile {params.profile} has no model {model!r}. {suggest(model, params.models)}")
    rows: list[ClaimRow] = read_table(params.results, "claims")
    shown = [row for row in rows if row.model == model] if model else [row for row in rows if row.figure is not None]
    return Group(verdicts(shown, reasons=model is not None), counts(rows))


def verdicts(rows: Sequence[ClaimRow], reasons: bool) -> Listing:
    """The prediction, and under it what came out on every model and task.

    What is testable nowhere is left to the view of one model, which says why.
    """
    listing = Listing("Claims", ("model", "task", "verdict", "figure"))
    for id, prediction in {row.id: row.prediction for row in rows}.items():
        listing.add(id, "", "", "", text=prediction, style="bold")
        for row in (row for row in rows if row.id == id):
            reason = row.reason if reasons else ""
            listing.add(row.model, row.task, row.verdict, figure(row), text=reason, style=STYLES[row.verdict])
    return listing


def figure(row: ClaimRow) -> str:
    """``0.93 [0.9, 0.95]``; empty where nothing could be tested."""
    if row.figure is None:
        return ""
    return f"{row.figure:.3g}" + ("" if row.low is None or row.high is None else f" [{row.low:.3g}, {row.high:.3g}]")


def counts(rows: Sequence[ClaimRow]) -> Listing:
    """How many rows of each model came out how."""
    found = Counter((row.model, str(row.verdict)) for row in rows)
    listing = Listing("Counts", ("model", *STYLES), numbers=frozenset(STYLES))
    for model in dict.fromkeys(row.model for row in rows):
        listing.add(model, *(str(found[model, verdict]) for verdict in STYLES))
    return listing
