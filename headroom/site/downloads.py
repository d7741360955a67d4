"""What a reader can take away: every table as CSV, JSON and, where `collect` wrote one, parquet, with checksums."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headroom.results.rows import Row
from headroom.results.write import TABLES, base_type
from headroom.site.names import board_file

EXTRA = {"checks": "What `headroom check` found, method by method."}
NUMBERS = ("figure", "low", "high")  # of the extra tables
OTHERS = {
    "summary.json": "The best area of each model, and how many cells came out how.",
    "dictionary.md": "What each column of each table means, to read.",
    "dictionary.csv": "What each column of each table means, as a table.",
}
BOARD = "leaderboard"  # the table whose rows are also written board by board


@dataclass(frozen=True)
class Download:
    """A file beside the pages."""

    path: str
    bytes: int
    sha256: str
    says: str = ""  # what it is, in a sentence


def copy_data(folder: Path, out: Path, tables: Mapping[str, type[Row]] = TABLES) -> list[Download]:
    """Copy the tables that are there into ``out/data``, write each as JSON too, and each board by itself.

    Returns the tables sorted by name, then the boards.
    """
    target = out / "data"
    target.mkdir(parents=True, exist_ok=True)
    for name in (*tables, *EXTRA):
        for kind in ("csv", "parquet"):
            if (source := folder / f"{name}.{kind}").is_file():
                shutil.copyfile(source, target / source.name)
        if (target / f"{name}.csv").is_file():
            _as_json(target / f"{name}.csv", tables.get(name))
    for name in OTHERS:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    said = (
        EXTRA
        | OTHERS
        | {name: " ".join((row.__doc__ or "").partition("\n\n")[0].split()) for name, row in tables.items()}
    )
    found = [_described(path, out, said.get(path.name, said.get(path.stem, ""))) for path in sorted(target.iterdir())]
    return found + _boards(target / f"{BOARD}.csv", out)


def _boards(table: Path, out: Path) -> list[Download]:
    """The rows of each (model, task, setting, quality) as a CSV of their own, letter by letter those of the table."""
    boards: dict[str, list[list[str]]] = {}
    said: dict[str, str] = {}
    columns: list[str] = []
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            columns, *rows = list(csv.reader(file))
        for row in rows:
            cell = dict(zip(columns, row, strict=True))
            if not cell["task"]:
                continue
            where = (cell["model"], cell["task"], cell.get("setting", "as is"), cell.get("quality", "task"))
            path = board_file(*where)
            boards.setdefault(path, []).append(row)
            model, task, setting, quality = where
            said[path] = f"The board of {model}, {task}, {setting}" + (f", by {quality}." if quality != "task" else ".")
    for path, rows in boards.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        with (out / path).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return [_described(out / path, out, said[path]) for path in boards]


def _as_json(table: Path, schema: type[Row] | None) -> None:
    """``{"columns": [...], "rows": [[...]]}``: the words of the CSV, numbers as numbers, unknown as null."""
    with table.open(encoding="utf-8", newline="") as file:
        columns, *rows = list(csv.reader(file))
    kinds = [_kind(schema, column) for column in columns]
    content = {
        "columns": columns,
        "rows": [[_value(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in rows],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n[")
    table.with_suffix(".json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _kind(schema: type[Row] | None, column: str) -> type:
    """A number only where the schema says so: a hash may be made of digits alone."""
    if schema and column in schema.model_fields:
        return base_type(schema, column)
    return float if column in NUMBERS else str


def _value(cell: str, kind: type) -> str | float | bool | None:
    if kind is str:
        return cell
    if cell in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[cell]
    try:
        number = float(cell)
    except ValueError:
        return cell  # a table of another hand
    return int(number) if kind is int else number if math.isfinite(number) else None


def _described(path: Path, out: Path, says: str) -> Download:
    content = path.read_bytes()
    return Download(path.relative_to(out).as_posix(), len(content), hashlib.sha256(content).hexdigest(), says)
