"""Join the records of a profile into its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headroom.results.asked import Asked
from headroom.results.curves import curve_rows
from headroom.results.leaderboard import Board, leaderboard_rows
from headroom.results.load import Records, load
from headroom.results.overall import overall
from headroom.results.published import Published
from headroom.results.quality import floor_rows, quality_rows
from headroom.results.rows import Row
from headroom.results.said import answer_rows, remove_pictures
from headroom.results.speeds import throughput_rows
from headroom.results.write import write_dictionary, write_json, write_table


def collect(
    profile: str,
    methods: Sequence[str],
    models: Sequence[str],
    results: Path,
    scores: Path | None = None,
    asked: Asked | None = None,
) -> None:
    """Write every table of a profile into its results folder.

    ``results`` holds the profile's folder, or is it. The cells are those of the two lists and never a glob: what is
    listed and absent becomes a row that says so. ``scores`` is the folder of per-example statistics, if there is one:
    of what lies elsewhere, the tables that are there already are asked, see ``published``. ``asked`` is what
    params.yaml asks of every cell, where that is known.
    """
    records = load(profile, methods, models, results, scores, asked)
    records = replace(records, published=Published.of(records.folder))
    views = records.views()
    quality = [row for view in views for row in quality_rows(view)]
    boards: list[Board] = []  # what is ranked together
    board = [row for view in views for row in leaderboard_rows(view, boards)]
    order, duels = overall(board, boards)
    answers = list(answer_rows(records, board))
    tables: dict[str, Sequence[Row]] = {
        "quality": quality,
        "leaderboard": board,
        "throughput": list(throughput_rows(records)),
        "floors": list(floor_rows(views[0])),
        "curves": [row for view in views for row in curve_rows(view)],
        "pairs": [row for one in boards for row in one.pairs],
        "overall": order,
        "duels": duels,
        "answers": answers,
    }
    remove_pictures(records.folder, answers)
    for name, rows in tables.items():
        write_table(records.folder, name, rows)
    write_dictionary(records.folder)
    write_json(records.folder / "summary.json", summary(records, quality, board))


def summary(records: Records, quality: Sequence[Any], board: Sequence[Any]) -> dict[str, Any]:
    """The headline numbers of `dvc metrics`: how many cells are there, whether removal is exact, and the best areas."""
    pairs = list(records.pairs())
    statuses = Counter(records.cells[pair].status if pair in records.cells else "missing" for pair in pairs)
    best: dict[str, float] = {}
    for row in board:
        if row.ranked and row.group == "attention" and (row.setting, row.quality) == ("as is", "task"):
            best[row.model] = max(best.get(row.model, 0.0), round(row.area, 6))
    differences = [row.logit_difference for row in quality if row.logit_difference is not None]
    return {
        "cells": {status: statuses[status] for status in ("ok", "failed", "unsupported", "missing")},
        "largest_logit_difference": float(f"{max(differences, default=0.0):.2e}"),
        "best_area": best,
    }
