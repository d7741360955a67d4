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

from headroom.results.rows import TABLES, Row
from headroom.results.write import base_type

EXTRA = ("checks",)
NUMBERS = ("figure", "low", "high")  # of the extra tables
OTHERS = ("summary.json", "dictionary.md", "dictionary.csv")


@dataclass(frozen=True)
class Download:
    """A file beside the pages."""

    path: str
    bytes: int
    sha256: str


def copy_data(folder: Path, out: Path, tables: Mapping[str, type[Row]] = TABLES) -> list[Download]:
    """Copy the tables that are there into ``out/data`` and write each as JSON too; sorted by name."""
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
    return [_described(path, out) for path in sorted(target.iterdir())]


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


def _described(path: Path, out: Path) -> Download:
    content = path.read_bytes()
    return Download(path.relative_to(out).as_posix(), len(content), hashlib.sha256(content).hexdigest())
