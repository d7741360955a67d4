"""Every listed cell is in the tables, whatever became of it, and two runs write the same bytes."""

from __future__ import annotations

import fixtures
import pandas
import pytest

from headroom.errors import UserError
from headroom.results.collecting import collect
from headroom.results.rows import QualityRow
from headroom.results.write import TABLES, dictionary, read_table


def test_quality_has_a_row_for_every_point_and_task(table):
    rows = [row for row in table("quality") if (row["model"], row["method"]) == ("lm-pydocs", "michel-greedy")]
    assert len(rows) == 9 * 3 * 2  # eight targets and dense, three seeds, two tasks
    assert {row["status"] for row in rows} == {"ok"}


def test_two_runs_write_the_same_bytes(folder, tmp_path):
    fixtures.write_profile(tmp_path)
    collect("quick", list(fixtures.METHODS), list(fixtures.MODELS), tmp_path)
    written = sorted(path.name for path in folder.glob("*.*"))
    assert "quality.csv" in written and "quality.parquet" in written
    for name in written:
        assert (tmp_path / "quick" / name).read_bytes() == (folder / name).read_bytes(), name
    assert b"\r" not in (folder / "quality.csv").read_bytes()


def test_quality_does_not_depend_on_clock_or_machine(small):
    methods = ["dense", "random-heads", "michel-greedy"]
    folder, run = small("bert-pydocs", methods)
    run()
    before = (folder / "quality.csv").read_bytes()
    for method in methods:
        record = fixtures.cell("quick", "bert-pydocs", method)
        elsewhere = record.provenance.model_copy(update={"machine": "other", "date": "1999-01-01", "commit": "0" * 40})
        slower = [cost.model_copy(update={"seconds": 999.0}) for cost in record.costs]
        record = record.model_copy(update={"provenance": elsewhere, "costs": slower})
        fixtures.write(folder / "quality" / "bert-pydocs" / f"{method}.json", record)
    run()
    assert (folder / "quality.csv").read_bytes() == before


def test_parquet_and_csv_hold_the_same_rows(folder, table):
    frame = pandas.read_parquet(folder / "leaderboard.parquet")
    assert list(frame["method"]) == [row["method"] for row in table("leaderboard")]
    assert str(frame["area"].dtype) == "Float64"
    assert str(frame["ranked"].dtype) == "boolean"


def test_a_missing_record_is_a_row_and_is_not_ranked(small):
    folder, run = small("bert-pydocs", ["dense", "random-heads", "michel-greedy"])
    (folder / "quality" / "bert-pydocs" / "michel-greedy.json").unlink()
    run()
    quality = [row for row in fixtures.read_csv(folder / "quality.csv") if row["method"] == "michel-greedy"]
    assert [(row["status"], row["task"], row["value"]) for row in quality] == [("missing", "package", "")]
    board = [row for row in fixtures.read_csv(folder / "leaderboard.csv") if row["method"] == "michel-greedy"]
    assert board[0]["status"] == "missing" and board[0]["rank"] == "" and "dvc repro" in board[0]["reason"]


def test_a_record_that_is_not_listed_is_not_read(small, tmp_path):
    folder, _ = small("bert-pydocs", ["dense", "random-heads", "michel-greedy"])
    (folder / "quality" / "bert-pydocs" / "removed-method.json").write_text("{not json")
    collect("quick", ["dense", "michel-greedy"], ["bert-pydocs"], tmp_path / "results")
    assert {row["method"] for row in fixtures.read_csv(folder / "quality.csv")} == {"dense", "michel-greedy"}


def test_failed_and_unsupported_cells_keep_their_reason(table):
    found = {
        (row["model"], row["method"]): row for row in table("leaderboard") if row["status"] not in ("ok", "missing")
    }
    assert found["vit-digits", "michel-greedy"]["reason"].startswith("RuntimeError: the loss is NaN")
    assert found["mt-constructed", "layer-similarity-block"]["status"] == "unsupported"
    assert all(row["area"] == "" and row["ranked"] == "false" for row in found.values())


def test_a_failed_point_is_never_averaged_away(small):
    record = fixtures.cell("quick", "bert-pydocs", "michel-greedy")
    bad = {"status": "failed", "reason": "Out of memory.", "tasks": {}}
    points = [
        point.model_copy(update=bad) if (point.target, point.seed) == (0.5, 1) else point for point in record.points
    ]
    outcome = {"status": "failed", "reason": "Out of memory.", "points": points}
    changed = {"michel-greedy": record.model_copy(update=outcome)}
    folder, run = small("bert-pydocs", ["dense", "random-heads", "michel-greedy"], **changed)
    run()
    row = next(row for row in fixtures.read_csv(folder / "leaderboard.csv") if row["method"] == "michel-greedy")
    assert (row["ranked"], row["points_ok"], row["points_asked"]) == ("false", "23", "24")
    assert row["reason"] == "23 of 24 points were scored. Out of memory."
    rows = [
        r
        for r in fixtures.read_csv(folder / "quality.csv")
        if r["method"] == "michel-greedy" and r["status"] == "failed"
    ]
    assert [(row["target"], row["seed"], row["retained"]) for row in rows] == [("0.500000", "1", "")]


def test_a_bad_row_names_the_record_and_the_key(folder):
    with pytest.raises(UserError, match=r"cell\.json: value: .*number"):
        QualityRow.checked({"model": "m", "method": "x", "status": "ok", "value": "much"}, folder / "cell.json")


def test_floors_say_which_kind_a_model_does_not_test(table):
    floors = {(row["model"], row["kind"]): row["tested"] for row in table("floors")}
    assert floors["bert-pydocs", "encoder.self"] == "false"
    assert floors["mt-constructed", "decoder.self"] == "false"
    assert floors["mt-constructed", "encoder.self"] == "true"


def test_summary_has_under_ten_numbers(folder):
    import json

    summary = json.loads((folder / "summary.json").read_text())
    assert summary["cells"] == {"ok": 38, "failed": 1, "unsupported": 1, "missing": 0}
    assert sum(len(value) if isinstance(value, dict) else 1 for value in summary.values()) < 10


def test_the_dictionary_explains_every_column(folder):
    entries = fixtures.read_csv(folder / "dictionary.csv")
    for name, kind in TABLES.items():
        columns = [entry["column"] for entry in entries if entry["table"] == name]
        assert columns == list(kind.model_fields)
        if name != "claims":  # a stage of its own writes them
            assert (folder / f"{name}.csv").read_text().partition("\n")[0] == ",".join(columns)
    assert all(meaning for *_, meaning in dictionary())
    assert "`attention_parameters_removed`" in (folder / "dictionary.md").read_text()


def test_tables_read_back_as_they_were_written(folder):
    rows = read_table(folder, "leaderboard")
    best = next(row for row in rows if row.model == "bert-pydocs" and row.method == "michel-greedy")
    assert best.ranked is True and best.rank == 1 and 0 < best.area < 1 and best.reason == ""


def test_reading_before_collect_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="dvc repro collect"):
        read_table(tmp_path, "quality")


def test_a_profile_without_any_record_still_has_tables(tmp_path):
    collect("quick", ["dense", "random-heads"], ["bert-pydocs"], tmp_path)
    rows = fixtures.read_csv(tmp_path / "quick" / "quality.csv")
    assert [row["status"] for row in rows] == ["missing", "missing"]
