"""Results for people and for the site: a terminal table, and ``checks.csv``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from headroom.attention import FAMILY_NAMES
from headroom.checks.figures import figures_of
from headroom.checks.listing import FAMILIES
from headroom.checks.subject import NO_PLANS
from headroom.checks.verdicts import Result, check_method
from headroom.checks.words import CHECK, in_words
from headroom.config.params import load
from headroom.config.registry import file_of, load_method, method_files
from headroom.errors import UserError, suggest

COLUMNS = ("method", "model", "check", "figure", "low", "high", "verdict", "reason")
STYLES = {"passes": "green", "fails": "bold red", "expected failure": "yellow", "not applicable": "dim"}


def report(
    names: Sequence[str],
    everything: bool,
    families: Sequence[str],
    figures: bool,
    path: Path | None,
    params_file: Path,
    show: Callable[[object], None],
) -> bool:
    """Check methods, show a table of each as it is done, and write the rows; whether any check failed.

    Raises ``UserError`` for a name or family that there is not, and when nothing is asked for.
    """
    found: list[Result] = []
    for name, parameters in chosen(names, everything, params_file).items():
        results = rows(name, parameters, str(params_file), checked_families(families), figures or path is not None)
        found += results
        show(checks_table(name, results))
        for line in reasons(results):
            show(Text(line))
        if any(result.figure is not None for result in results):
            show(figures_table(results))
    if path:
        write(path, found)
    return any(result.verdict == "fails" for result in found)


def chosen(names: Sequence[str], everything: bool, params_file: Path) -> dict[str, dict[str, Any] | None]:
    """Entries of ``methods:`` by name; a file without an entry stands for itself, with its defaults."""
    entries = load(params_file).methods
    unused = set(method_files()) - {file.stem.replace("_", "-") for file in files(entries, params_file)}
    known = entries | dict.fromkeys(sorted((unused | set(names) & set(method_files())) - entries.keys()))
    if everything:
        return known
    if not names:
        raise UserError("headroom check: name a method, or say --all. `headroom list` shows what there is.")
    for name in names:
        if name not in known:
            raise UserError(f"headroom check: there is no method {name!r}. {suggest(name, [*known, 'params'])}")
    return {name: known[name] for name in names}


def files(entries: dict[str, dict[str, Any] | None], params_file: Path) -> list[Path]:
    return [file_of(name, parameters, f"{params_file}: methods.{name}") for name, parameters in entries.items()]


def checked_families(names: Sequence[str]) -> Sequence[str]:
    """The families asked for. Raises ``UserError`` for one that has no toy."""
    for name in names:
        if name not in FAMILY_NAMES:
            raise UserError(f"headroom check: --family {name}: {suggest(name, FAMILY_NAMES)}")
    return names or FAMILIES


def rows(
    name: str, parameters: dict[str, Any] | None, where: str, families: Sequence[str] = FAMILIES, figures: bool = True
) -> list[Result]:
    """Checks and figures of one entry of ``methods:``, on toys of the families. Raises ``UserError``."""
    method = load_method(name, parameters, f"{where}: methods.{name}")
    file = file_of(name, parameters, f"{where}: methods.{name}")
    checks = check_method(method, file, name, families)
    return [*checks, *figures_of(method, file, name, families)] if figures else checks


def write(path: Path, results: Iterable[Result]) -> None:
    """``checks.csv``: one row a check or figure, in the order in which they were made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([shown(getattr(result, column)) for column in COLUMNS] for result in results)


def shown(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def checks_table(method: str, results: Sequence[Result]) -> Table:
    """One line a check and verdict, with the models that gave it."""
    table = Table(title=method, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in ("check", "models", "verdict"):
        table.add_column(column)
    for (check, verdict), group in grouped(results, "check", "verdict").items():
        models = ", ".join(filter(None, (one.model for one in group)))
        table.add_row(in_words(check), models, verdict, style=STYLES[verdict])
    return table


def reasons(results: Sequence[Result]) -> list[str]:
    """A line for every check that did not pass: which, on what, and why. That there were no plans is said once."""
    lines = []
    for (check, verdict, reason), group in grouped(results, "check", "verdict", "reason").items():
        models = ", ".join(filter(None, (one.model for one in group)))
        if verdict != "passes" and reason != NO_PLANS:
            lines.append(f"{in_words(check)}{f' ({models})' if models else ''}, {verdict}: {reason}")
    return lines


def grouped(results: Sequence[Result], *by: str) -> dict[tuple[str, ...], list[Result]]:
    """The checks among the results, those alike in these fields together."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        if result.check.startswith(CHECK):
            groups.setdefault(tuple(getattr(result, name) for name in by), []).append(result)
    return groups


def figures_table(results: Sequence[Result]) -> Table:
    """The figures with their range over the draws."""
    table = Table(title="planted truth and oracle", title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in ("figure", "model", "mean", "range"):
        table.add_column(column)
    for result in results:
        if result.figure is not None:
            span = f"{result.low:.2f} to {result.high:.2f}"
            table.add_row(result.check, result.model, f"{result.figure:.2f}", span)
    return table
