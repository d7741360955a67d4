"""Everything that the pages are made from, read once: the tables of a profile and the records behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headroom.errors import UserError
from headroom.results.load import DENSE, Records, load, profile_folder
from headroom.results.records import CellRecord, Point, Quality
from headroom.results.write import MADE_BY, TABLES, csv_rows, read_table
from headroom.site.qualities import QUALITIES

SETTINGS = ("as is", "recovered")
READ = ("leaderboard", "quality", "throughput", "floors", "curves")
Pair = tuple[str, str]  # (model, method)


@dataclass(frozen=True)
class Book:
    """Tables, records, and the names that stand in them. Nothing is looked for that the tables do not list."""

    profile: str
    folder: Path
    records: Records
    methods: list[str]
    models: list[str]
    titles: dict[str, str]
    board: dict[Pair, list[Any]]  # (model, task): leaderboard rows
    quality: dict[Pair, list[Any]]  # (model, method): quality rows
    curves: dict[Pair, list[Any]]  # (model, task): curve rows
    speeds: dict[Pair, list[Any]]  # (model, method): throughput rows
    floors: list[Any]
    claims: list[dict[str, str]] = field(default_factory=list)
    checks: list[dict[str, str]] = field(default_factory=list)
    pairs: dict[Pair, list[dict[str, str]]] = field(default_factory=dict)  # (model, task): paired differences
    overall: list[Any] = field(default_factory=list)  # the order over all models; older results have none
    duels: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)  # what models say to a few examples

    @property
    def cells(self) -> list[Pair]:
        """Every (model, task) that a record names."""
        return [pair for pair in self.board if pair[1]]

    @property
    def boards(self) -> list[tuple[str, str, Quality]]:
        """Every (model, task, quality) that has rows, the tasks' own metrics first."""
        return [
            (model, task, quality)
            for quality in QUALITIES
            for model, task in self.cells
            if any(row.quality == quality for row in self.board[model, task])
        ]

    def record(self, model: str, method: str) -> CellRecord | None:
        """The record of a cell, if it is there."""
        return self.records.cells.get((model, method))

    def source(self, method: str) -> CellRecord | None:
        """Any record of a method: its file, paper and track are the same in all."""
        return next((self.records.cells[m, method] for m in self.models if (m, method) in self.records.cells), None)

    def ranked_methods(self) -> list[str]:
        """Methods without the dense model, which is the reference of all."""
        return [method for method in self.methods if method != DENSE]

    def machine(self, fingerprint: str) -> str:
        """A machine as people call it."""
        facts = self.records.machines.get(fingerprint)
        return f"{facts.accelerator or facts.processor} ({fingerprint})" if facts else fingerprint

    def main(self, model: str) -> tuple[str, str]:
        """(machine, workload in words) of the leaderboard's speed columns; empty when the model was not timed."""
        rows = [row for task in self.records.tasks(model) for row in self.board.get((model, task), ())]
        return next(((row.machine, row.work) for row in rows if row.work), ("", ""))


def read_book(profile: str, results: Path) -> Book:
    """Read a profile. Raises ``UserError`` when its tables are not there, and names the command that makes them."""
    folder = profile_folder(profile, results)
    tables = {name: read_table(folder, name) for name in READ}
    needed = [name for name, field in TABLES["pairs"].model_fields.items() if field.is_required()]
    pairs = optional(path := folder / "pairs.csv", needed)
    for row in pairs:
        TABLES["pairs"].checked(row, path)
    methods = list(dict.fromkeys(row.method for row in tables["quality"]))
    models = list(dict.fromkeys(row.model for row in tables["quality"]))
    titles = {name: name for name in methods} | {r.method: r.title for r in tables["leaderboard"] if r.title}
    return Book(
        profile=profile,
        folder=folder,
        records=load(profile, methods, models, results),
        methods=methods,
        models=models,
        titles=titles,
        board=by(tables["leaderboard"], "model", "task"),
        quality=by(tables["quality"], "model", "method"),
        curves=by(tables["curves"], "model", "task"),
        speeds=by(tables["throughput"], "model", "method"),
        floors=tables["floors"],
        claims=optional(folder / "claims.csv", TABLES["claims"].model_fields),
        checks=optional(folder / "checks.csv", ("method", "check", "verdict")),
        pairs=_keyed(pairs),
        overall=where_there(folder, "overall"),
        duels=where_there(folder, "duels"),
        answers=where_there(folder, "answers"),
    )


def where_there(folder: Path, name: str) -> list[Any]:
    """The rows of a table that older results need not have."""
    return read_table(folder, name) if (folder / f"{name}.csv").is_file() else []


def optional(path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a table that a profile need not have. Raises ``UserError`` for one that is damaged or lacks a column."""
    rows = csv_rows(path) if path.is_file() else []
    if rows and (lacking := [column for column in needed if column not in rows[0]]):
        again = MADE_BY.get(path.name, "dvc repro collect")
        raise UserError(f"{path}: has no column {lacking[0]!r}. Delete it and run `{again}` to make it again.")
    return rows


def setting_of(point: Point, record: CellRecord) -> str:
    """Whether a point's weights were updated after removal."""
    return str(getattr(point, "setting", "") or getattr(record, "setting", SETTINGS[0]))


def own_name(thing: Any) -> str:
    """The name of a point of the method's own choosing, e.g. lambda=0.1; empty for the points at the targets."""
    return str(getattr(thing, "natural", "") or "")


def by(rows: list[Any], first: str, second: str) -> dict[Pair, list[Any]]:
    """Rows by two of their columns."""
    found: dict[Pair, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, first), getattr(row, second)].append(row)
    return dict(found)


def _keyed(rows: list[dict[str, str]]) -> dict[Pair, list[dict[str, str]]]:
    found: dict[Pair, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        found[row.get("model", ""), row.get("task", "")].append(row)
    return dict(found)
