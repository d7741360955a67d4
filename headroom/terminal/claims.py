"""The claims table on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from headroom.config.params import Params
from headroom.errors import UserError, suggest
from headroom.results.rows import ClaimRow
from headroom.results.write import read_table
from headroom.terminal.listing import made

STYLES = {"holds": "green", "does not hold": "red", "undecided": "yellow", "not testable here": "dim"}


def table(params: Params, model: str | None = None) -> Table:
    """Verdicts by claim and model with their figures; of one model with the reasons.

    Raises ``UserError`` when the claims stage has not run, or for a model that the profile does not list.
    """
    path = params.results / "claims.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist. Run `dvc repro claims`, or `headroom stage claims`, to make it.")
    if model is not None and model not in params.models:
        raise UserError(f"profile {params.profile} has no model {model!r}. {suggest(model, params.models)}")
    rows: list[ClaimRow] = read_table(params.results, "claims")
    shown = one_model([row for row in rows if row.model == model]) if model else all_models(rows, list(params.models))
    shown.caption, shown.caption_justify = summary(rows), "left"
    return shown


def all_models(rows: Sequence[ClaimRow], models: Sequence[str]) -> Table:
    """One line a claim. What is testable nowhere is left to the view of one model, which says why."""
    shown = made("Claims", "id", "prediction", *models)
    tested = {row.id: row.prediction for row in rows if row.figure is not None}
    for id, prediction in tested.items():
        own = [row for row in rows if row.id == id]
        cells = [Text("\n").join(verdict(row) for row in own if row.model == model) for model in models]
        shown.add_row(id, prediction, *cells)
    return shown


def one_model(rows: Sequence[ClaimRow]) -> Table:
    """One line a claim and task, with the reasons."""
    shown = made("Claims", "id", "prediction", "verdict", "reason")
    for row in rows:
        shown.add_row(row.id, row.prediction, verdict(row), row.reason)
    return shown


def verdict(row: ClaimRow) -> Text:
    """``holds 0.93 [0.90, 0.95] on digits``."""
    if row.figure is None:
        return Text("not testable", style=STYLES[row.verdict])
    ends = "" if row.low is None or row.high is None else f" [{row.low:.3g}, {row.high:.3g}]"
    on = f" on {row.task}" if row.task else ""
    return Text(f"{row.verdict} {row.figure:.3g}{ends}{on}", style=STYLES[row.verdict])


def summary(rows: Sequence[ClaimRow]) -> str:
    counts = Counter((row.model, str(row.verdict)) for row in rows)
    models = dict.fromkeys(row.model for row in rows)
    said = ["; ".join(f"{counts[model, verdict]} {verdict}" for verdict in STYLES) for model in models]
    return "\n".join(f"{model}: {words}" for model, words in zip(models, said, strict=True))
