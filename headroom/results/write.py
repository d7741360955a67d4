"""Write tables so that two runs give the same bytes: fixed order, fixed digits, one line end."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from headroom.errors import UserError
from headroom.results.board_rows import DuelRow, LeaderboardRow, OverallRow, PairRow
from headroom.results.rows import AnswerRow, ClaimRow, CurveRow, FloorRow, QualityRow, Row, ThroughputRow

TABLES: dict[str, type[Row]] = {
    "leaderboard": LeaderboardRow,
    "quality": QualityRow,
    "throughput": ThroughputRow,
    "floors": FloorRow,
    "curves": CurveRow,
    "claims": ClaimRow,
    "pairs": PairRow,
    "answers": AnswerRow,
    "overall": OverallRow,
    "duels": DuelRow,
}
PARQUET = ("leaderboard", "quality", "throughput", "floors")
MADE_BY = {"claims.csv": "dvc repro claims", "checks.csv": "headroom check --all --csv FILE"}  # the others by collect
KINDS = {float: "Float64", int: "Int64", bool: "boolean", str: "string"}


def write_table(folder: Path, name: str, rows: Sequence[Row], kind: type[Row] | None = None) -> None:
    """``name.csv``, and ``name.parquet`` of some, with the header of the schema even when there are no rows.

    ``kind`` is the schema of a table that ``TABLES`` does not know.
    """
    kind = kind or TABLES[name]
    columns = list(kind.model_fields)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([text(kind, column, getattr(row, column)) for column in columns] for row in rows)
    if name in PARQUET:
        _write_parquet(folder / f"{name}.parquet", kind, rows)


def _write_parquet(path: Path, kind: type[Row], rows: Sequence[Row]) -> None:
    import pandas  # late, because the site reads tables and needs no pandas

    columns = list(kind.model_fields)
    types = {column: KINDS[base_type(kind, column)] for column in columns}  # an empty column keeps its type
    arrays = {c: pandas.array([getattr(row, c) for row in rows], dtype=types[c]) for c in columns}  # type: ignore[call-overload]
    pandas.DataFrame(arrays).to_parquet(path, index=False)


def text(kind: type[Row], column: str, value: Any) -> str:
    """A value as the CSV shows it, with the digits that its field asks for."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    digits = facts(kind, column)["digits"]
    shown = f"{value:.2e}" if digits == "e" else f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown  # -0.000000 and 0.000000 are one number


def facts(kind: type[Row], column: str) -> dict[str, Any]:
    """Unit and digits of a column."""
    extra = kind.model_fields[column].json_schema_extra
    return extra if isinstance(extra, dict) else {}


def base_type(kind: type[Row], column: str) -> type:
    """float, int, bool or str; a column of fixed words is a column of strings."""
    annotation = kind.model_fields[column].annotation
    options = [option for option in get_args(annotation) or (annotation,) if option is not type(None)]
    return options[0] if options[0] in KINDS else str


def read_table(folder: Path, name: str, kind: type[Row] | None = None) -> list[Any]:
    """The rows of a table, from its CSV and checked again. Raises ``UserError`` when `collect` has not run."""
    kind, path = kind or TABLES[name], folder / f"{name}.csv"
    if not path.is_file():
        raise UserError(
            f"{path} does not exist. Run `dvc repro collect`, or that stage of the profile's own dvc.yaml, to make it."
        )
    return [kind.checked({key: _known(kind, key, value) for key, value in row.items()}, path) for row in csv_rows(path)]


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV by column. Raises ``UserError`` naming file and line where it is no whole table."""
    again = MADE_BY.get(path.name, "dvc repro collect")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is damaged ({error}). Delete it and run `{again}` to make it again.") from None
    if not lines:
        raise UserError(f"{path}: is empty. Delete it and run `{again}` to make it again.")
    for number, line in enumerate(lines, 1):
        if len(line) != len(lines[0]):
            raise UserError(
                f"{path}: row {number} has {len(line)} cells and the heading {len(lines[0])}. "
                f"Delete it and run `{again}` to make it again."
            )
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def _known(kind: type[Row], column: str, value: str) -> str | None:
    """An empty cell is unknown, except in a column of text."""
    return None if value == "" and column in kind.model_fields and base_type(kind, column) is not str else value


def write_dictionary(folder: Path) -> None:
    """``dictionary.csv`` and ``dictionary.md``, from the schemas: a column cannot be without its sentence."""
    entries = list(dictionary())
    with (folder / "dictionary.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["table", "column", "type", "unit", "meaning"])
        writer.writerows(entries)
    lines = [
        "# Data dictionary",
        "",
        "Written from the row schemas in `headroom/results/`: `rows.py`, `board_rows.py`. Empty means unknown.",
    ]
    for name, kind in TABLES.items():
        lines += ["", f"## {name}.csv", "", kind.__doc__ or ""]
        lines += ["", "| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{entry[1]}` | {entry[2]} | {entry[3]} | {entry[4]} |" for entry in entries if entry[0] == name]
    (folder / "dictionary.md").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def dictionary(tables: Mapping[str, type[Row]] = TABLES) -> Iterable[tuple[str, str, str, str, str]]:
    """(table, column, type, unit, meaning) of every column of every table."""
    for name, kind in tables.items():
        for column, field in kind.model_fields.items():
            type_ = {float: "number", int: "whole number", bool: "true/false", str: "text"}[base_type(kind, column)]
            yield name, column, type_, str(facts(kind, column)["unit"]), field.description or ""


def write_json(path: Path, content: Any) -> None:
    """Sorted keys, one line end: the same bytes from the same content."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
