"""``headroom check``: which methods, on which models, and what came of it as terminal tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from headroom.attention import FAMILY_NAMES
from headroom.checks.figures import figures_of
from headroom.checks.listing import FAMILIES
from headroom.checks.subject import NO_PLANS
from headroom.checks.verdicts import check_method
from headroom.checks.words import CHECK, Result, in_words, write
from headroom.config.params import load
from headroom.config.registry import file_of, load_method, method_files
from headroom.errors import UserError, suggest
from headroom.measure.machine import cores
from headroom.pipeline.asking import Question
from headroom.pipeline.workers import Workers
from headroom.pipeline.working import Trouble
from headroom.terminal.layout import made

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
    entries = chosen(names, everything, params_file)
    figures, families = figures or path is not None, tuple(checked_families(families))
    if path:
        write(path, [])  # a place that cannot be written is refused before the work
    questions = [CheckQuestion(name, entry, str(params_file), families, figures) for name, entry in entries.items()]
    found: dict[str, list[Result]] = {name: [] for name in entries}
    with Workers(min(cores(), len(questions)), threads=1) as workers:
        for question, results in workers.ask(questions):
            found[question.name] = results = ended(question.name, results)
            show_one(question.name, results, show)
    if path:
        write(path, [result for results in found.values() for result in results])
    return any(result.verdict == "fails" for results in found.values() for result in results)


@dataclass(frozen=True)
class CheckQuestion(Question):
    """Does a method keep its promises? Asked of a process of its own, which the method may end: that is no pass.

    Plantings and oracles are searched once a process, so figures share theirs as long as nothing goes wrong.
    """

    name: str
    entry: dict[str, Any] | None
    where: str
    families: tuple[str, ...]
    figures: bool

    @property
    def fresh(self) -> bool:
        return not self.figures

    def answer(self) -> list[Result]:
        logging.getLogger("headroom").setLevel(logging.WARNING)  # trainings of ten steps are no news
        return rows(self.name, self.entry, self.where, self.families, self.figures)


def ended(name: str, results: list[Result] | Trouble) -> list[Result]:
    """The results; of a method that ended its process, that it did."""
    if isinstance(results, Trouble):
        return [Result(name, "", f"{CHECK}the_process_lives_on", "fails", f"The method {results.reason}")]
    return results


def show_one(name: str, results: list[Result], show: Callable[[object], None]) -> None:
    """The tables of one method."""
    show(checks_table(name, results))
    for line in reasons(results):
        show(Text(line))
    if any(result.figure is not None for result in results):
        show(figures_table(results))


def chosen(names: Sequence[str], everything: bool, params_file: Path) -> dict[str, dict[str, Any] | None]:
    """Entries of ``methods:`` by name; a file without an entry stands for itself, with its defaults."""
    entries = load(params_file).methods
    used = {file_of(name, entry, f"{params_file}: methods.{name}") for name, entry in entries.items()}
    files = {name for name, file in method_files().items() if file not in used or name in names}
    known = entries | dict.fromkeys(sorted(files - entries.keys()))
    if everything:
        return known
    if not names:
        raise UserError("headroom check: name a method, or say --all. `headroom list` shows what there is.")
    for name in names:
        if name not in known:
            raise UserError(f"headroom check: there is no method {name!r}. {suggest(name, [*known, 'params'])}")
    return {name: known[name] for name in names}


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


def checks_table(method: str, results: Sequence[Result]) -> Table:
    """One line a check and verdict, with the models that gave it."""
    every = models_of(results)
    table = made(f"{method}, on {', '.join(every)}" if every else method, "check", "models", "verdict")
    for (check, verdict), group in grouped(results, "check", "verdict").items():
        models = models_of(group)
        said = "all" if models == every and len(every) > 1 else ", ".join(models)
        table.add_row(in_words(check), said, verdict, style=STYLES[verdict])
    return table


def reasons(results: Sequence[Result]) -> list[str]:
    """A line for every check that did not pass: which, on what, and why. That there were no plans is said once."""
    lines = []
    for (check, verdict, reason), group in grouped(results, "check", "verdict", "reason").items():
        models = ", ".join(models_of(group))
        if verdict != "passes" and reason != NO_PLANS:
            lines.append(f"{in_words(check)}{f' ({models})' if models else ''}, {verdict}: {reason}")
    return lines


def figures_table(results: Sequence[Result]) -> Table:
    """The figures with their range over the draws."""
    table = made("planted truth and oracle", "figure", "model", "mean", "range")
    for result in results:
        if result.figure is not None:
            span = f"{result.low:.2f} to {result.high:.2f}"
            table.add_row(result.check, result.model, f"{result.figure:.2f}", span)
    return table


def grouped(results: Sequence[Result], *by: str) -> dict[tuple[str, ...], list[Result]]:
    """The checks among the results, those alike in these fields together."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        if result.check.startswith(CHECK):
            groups.setdefault(tuple(getattr(result, name) for name in by), []).append(result)
    return groups


def models_of(results: Sequence[Result]) -> list[str]:
    """The models that results are of, in their order; what looks at the file alone has none."""
    return list(dict.fromkeys(result.model for result in results if result.model))
