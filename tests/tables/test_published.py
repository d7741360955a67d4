"""Counts per example that lie on another machine: what they said of a board is kept while the board is the same."""

from __future__ import annotations

import base64
import json
import shutil

import numpy as np
import pytest
from fixtures import MODELS, TARGETS, cell, read_csv

from headroom.pipeline.recording import packed
from headroom.results.collecting import collect

MODEL = "bert-pydocs"
(TASK,) = MODELS[MODEL].tasks
METHODS = ["dense", "random-heads", "deepest-first", "magnitude-heads"]
DRAWN = ("leaderboard.csv", "pairs.csv", "answers.csv")


@pytest.fixture
def board(small, tmp_path):
    """The tables of four methods, collected from their counts and their answers, and a way to collect them again."""
    folder, _ = small(MODEL, METHODS)
    scores = tmp_path / "scores"
    (scores / MODEL).mkdir(parents=True)
    for method in METHODS:
        generator = np.random.default_rng(len(method))
        right = np.column_stack([generator.random(300) < 0.8, np.ones(300)])
        arrays = {f"{TASK}/as is/{seed}//{target}": right for seed in range(5) for target in (0.0, *TARGETS)}
        np.savez_compressed(scores / MODEL / f"{method}.npz", **arrays)
    shown = {"given": "", "wanted": "7", "picture": base64.b64encode(b"an image").decode()}
    point = {"setting": "as is", "seed": 0, "place": "0.0", "said": {TASK: ["8"]}}
    (scores / MODEL / "dense.json").write_text(json.dumps({"points": [point], "shown": {TASK: [shown]}}))

    def again() -> None:
        collect("quick", METHODS, [MODEL], folder.parent, scores)

    again()
    return folder, scores, again


def test_tables_collected_where_no_counts_lie_are_those_collected_where_they_do(board):
    folder, scores, again = board
    before = {name: (folder / name).read_bytes() for name in DRAWN}
    assert len(read_csv(folder / "pairs.csv")) == 3 and len(read_csv(folder / "answers.csv")) == 1
    shutil.rmtree(scores)
    again()
    assert {name: (folder / name).read_bytes() for name in DRAWN} == before
    assert (folder / read_csv(folder / "answers.csv")[0]["image"]).read_bytes() == b"an image"


def test_the_order_over_all_keeps_who_was_above_whom_and_says_that_its_intervals_are_the_rows_own(board):
    folder, scores, again = board
    before = read_csv(folder / "duels.csv")
    shutil.rmtree(scores)
    again()
    after = read_csv(folder / "duels.csv")
    for name in ("method", "other", "wins", "ties", "losses"):
        assert [row[name] for row in after] == [row[name] for row in before]
    assert {row["paired"] for row in before} == {"true"} and {row["paired"] for row in after} == {"false"}


def test_a_record_that_changed_loses_what_was_known_of_its_board(board):
    folder, scores, again = board
    shutil.rmtree(scores)
    path = folder / "quality" / MODEL / "deepest-first.json"
    path.write_text(
        cell("quick", MODEL, "magnitude-heads").model_copy(update={"method": "deepest-first"}).model_dump_json()
    )
    again()
    assert read_csv(folder / "pairs.csv") == []
    assert {row["paired"] for row in read_csv(folder / "leaderboard.csv") if row["ranked"] == "true"} == {"false"}


@pytest.mark.parametrize("name", ["leaderboard.csv", "pairs.csv"])
def test_a_table_that_is_damaged_is_as_good_as_none(board, name):
    folder, scores, again = board
    shutil.rmtree(scores)
    (folder / name).write_text("model,method\nbert\n")
    again()
    assert read_csv(folder / "pairs.csv") == []


def test_a_picture_that_no_row_shows_any_more_goes(board):
    folder, scores, again = board
    (scores / MODEL / "dense.json").write_text('{"points": [], "shown": {"t": []}}')
    again()
    assert list((folder / "answers").iterdir()) == []


@pytest.mark.parametrize("values", [[0, 1, 255], [-3, 70000], [0.5, 1e-3], [1 / 3, 1e300], [float("nan"), 1]])
def test_counts_are_packed_without_loss(values):
    found = np.array([values], dtype=float)
    assert np.array_equal(packed(found).astype(float), found, equal_nan=True)
    assert packed(np.ones((2, 2))).dtype == np.uint8
