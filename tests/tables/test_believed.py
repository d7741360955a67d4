"""A record is believed only if it can be true; one that is not is a row that says so, and all other rows stay."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import bad_records
import fixtures
import pytest

from headroom.results.asked import Asked, Entry
from headroom.results.collecting import collect
from headroom.results.files import LARGEST
from headroom.results.leaderboard import leaderboard_rows
from headroom.results.load import Records, load
from headroom.site import build

MODEL, TASK, TESTED = "bert-pydocs", "package", "michel-greedy"
METHODS = ["dense", "random-heads", "magnitude-heads", TESTED]


def asked(**changed) -> Asked:
    """What the made-up profile asks, for one model."""
    entries = {name: Entry(f"methods/{name.replace('-', '_')}.py", {}, None) for name in METHODS}
    entries[TESTED] = Entry("methods/michel_greedy.py", {"examples": 256}, ("encoder.self",))
    known = {"targets": tuple(fixtures.TARGETS), "seeds": (0, 1, 2), "draws": 5, "recovered": {}, "steps": {}}
    return Asked(**(known | {"tasks": {MODEL: {TASK: 1}}, "methods": entries, "threads": 2} | changed))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A profile's folder in which everything is in order."""
    cells = {(MODEL, name): fixtures.cell("quick", MODEL, name) for name in METHODS}
    cells[MODEL, TESTED] = cells[MODEL, TESTED].model_copy(update={"parameters": {"examples": 256}})
    return fixtures.write_profile(tmp_path_factory.mktemp("good"), cells=cells)


@pytest.fixture
def folder(good, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(good, tmp_path / "quick"))


def quality(folder: Path, method: str = TESTED) -> Path:
    return folder / "quality" / MODEL / f"{method}.json"


def speed(folder: Path, method: str = TESTED) -> Path:
    return folder / "speed" / fixtures.MACHINE / MODEL / f"{method}.json"


def damage(path: Path, edit: bad_records.Edit) -> None:
    """Write the record again after an edit."""
    record = json.loads(path.read_text())
    written = edit(record)
    path.write_text(written if isinstance(written, str) else json.dumps(record))


def read(folder: Path, known: Asked | None) -> Records:
    return load("quick", METHODS, [MODEL], folder, asked=known)


def row(records: Records, method: str = TESTED):
    return next(row for row in leaderboard_rows(records.views()[0]) if row.method == method)


def refused(records: Records, words: str, method: str = TESTED) -> None:
    """That method alone failed, with these words and the file in its reason, and is not ranked."""
    statuses = {name: records.cells[MODEL, name].status for name in METHODS}
    assert statuses == {name: "failed" if name == method else "ok" for name in METHODS}
    reason = records.cells[MODEL, method].reason
    assert reason.startswith(f"quick/quality/{MODEL}/{method}.json: ") and words in reason
    assert "run `dvc repro`" in reason
    found = row(records, method)
    assert (found.status, found.ranked, found.area) == ("failed", False, None) and found.reason == reason
    assert all(row(records, name).ranked for name in METHODS[1:] if name != method)


def named(bad: list[tuple[str, bad_records.Edit, str]]):
    return pytest.mark.parametrize(("edit", "words"), [pytest.param(*rest, id=name) for name, *rest in bad])


def test_what_is_in_order_is_believed(good):
    for known in (asked(), None):
        records = read(good, known)
        assert {cell.status for cell in records.cells.values()} == {"ok"}
        assert {record.status for record in records.speeds.values()} == {"ok"}
        assert all(row(records, name).ranked for name in METHODS[1:])


@named(bad_records.ALONE)
def test_a_record_that_contradicts_itself_is_refused(folder, edit, words):
    damage(quality(folder), edit)
    refused(read(folder, None), words)


@named(bad_records.BESIDE)
def test_a_record_of_something_else_is_refused(folder, edit, words):
    damage(quality(folder), edit)
    refused(read(folder, asked()), words)


@named(bad_records.INCOMPLETE)
def test_a_cell_without_a_point_that_was_asked_for_is_not_ranked(folder, edit, words):
    damage(quality(folder), edit)
    found = row(read(folder, asked()))
    assert not found.ranked and words in found.reason


@named(bad_records.TIMED)
def test_a_speed_record_that_cannot_be_is_refused(folder, edit, words):
    damage(speed(folder), edit)
    records = read(folder, asked())
    statuses = {key[2]: record.status for key, record in records.speeds.items()}
    assert statuses == {name: "failed" if name == TESTED else "ok" for name in METHODS[1:]}
    reason = records.speeds[fixtures.MACHINE, MODEL, TESTED].reason
    assert reason.startswith(f"quick/speed/{fixtures.MACHINE}/{MODEL}/{TESTED}.json: ") and words in reason
    assert row(records).ranked and row(records).speedup_50 is None


def test_a_record_of_sites_that_are_not_offered_is_refused(good):
    entries = asked().methods | {TESTED: Entry("methods/michel_greedy.py", {}, ("decoder.self", "decoder.cross"))}
    words = "lists units of encoder.self, and params.yaml offers decoder.self, decoder.cross"
    refused(read(good, asked(methods=entries)), words)


@pytest.mark.parametrize(("steps", "words"), [(40, ""), (60, "updates is 40, and params.yaml asks for 60")])
def test_a_recovered_point_has_had_the_updates_that_were_asked_for(folder, steps, words):
    def recover(record: bad_records.Json) -> None:
        floor = record["points"][24:]
        record["points"] += [point | {"setting": "recovered", "updates": 40} for point in floor]

    damage(quality(folder), recover)
    records = read(folder, asked(recovered={MODEL: (1.0,)}, steps={MODEL: steps}))
    assert words in records.cells[MODEL, TESTED].reason
    found = [row for row in leaderboard_rows(records.views()[1]) if row.method == TESTED]
    assert [row.ranked for row in found] == [not words]


def test_a_recovered_point_says_what_learned_as_it_was_asked_for(folder):
    def recover(record: bad_records.Json) -> None:
        floor = record["points"][24:]
        record["points"] += [point | {"setting": "recovered", "updates": 40, "recovery": "lora"} for point in floor]

    damage(quality(folder), recover)
    how = {"recovered": {MODEL: (1.0,)}, "steps": {MODEL: 40}}
    assert read(folder, asked(**how, recovery={MODEL: "lora"})).cells[MODEL, TESTED].status == "ok"
    refused(read(folder, asked(**how)), "recovery is lora, and params.yaml asks for full (recover.bert-pydocs.kind)")


def test_a_cell_that_was_not_recovered_is_not_ranked_there_and_its_points_are_named(good):
    records = read(good, asked(recovered={MODEL: (0.5, 1.0)}, steps={MODEL: 40}))
    assert row(records).ranked
    found = next(row for row in leaderboard_rows(records.views()[1]) if row.method == TESTED)
    assert not found.ranked and "There is no point for target 0.5, seed 0, recovered, and 5 more." in found.reason


def test_files_that_lie_in_each_others_place_are_both_refused(folder):
    one, other = quality(folder), quality(folder, "magnitude-heads")
    one.rename(folder / "draft")
    other.rename(one)
    (folder / "draft").rename(other)
    records = read(folder, None)
    assert [records.cells[MODEL, name].status for name in METHODS] == ["ok", "ok", "failed", "failed"]


@pytest.mark.parametrize("key", ["provenance.weight_hash", "tasks.package.data_hash", "family"])
def test_a_dense_record_that_stands_alone_is_the_odd_one_out(folder, key):
    damage(quality(folder, "dense"), bad_records.put(key, "0" * 64))
    refused(read(folder, asked()), "of the 3 others", "dense")


def test_the_dense_model_that_the_others_were_compared_with_is_the_dense_record(folder):
    def better(record: bad_records.Json) -> None:
        for place in range(len(record["points"])):
            score = f"points.{place}.tasks.{TASK}"
            bad_records.moved(-5.0, "value", key=score)(record)
            found = record["points"][place]["tasks"][TASK]
            found["retained"] = (found["value"] - 15) / (81 - 15)
            found["retained_low"], found["retained_high"] = found["retained"] - 0.1, found["retained"] + 0.1

    damage(quality(folder, "dense"), better)
    refused(read(folder, asked()), "were compared with 86", "dense")


FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:900]),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00" * 100),
    "a list": lambda path: path.write_text("[1, 2]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a lone surrogate": lambda path: path.write_text(path.read_text().replace('"method": "', '"method": "\\ud800')),
    "huge": lambda path: os.truncate(path, LARGEST + 1),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a key as long as a book": lambda path: path.write_text('{"' + "x\\n" * 10**6 + '": 1, "profile": "quick"}'),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("where", [quality, speed])
def test_a_file_that_is_no_record_is_a_row_in_every_table_and_ends_nothing(folder, good, kind, where):
    FILES[kind](where(folder))
    records = read(folder, asked())
    found = records.cells[MODEL, TESTED] if where is quality else records.speeds[fixtures.MACHINE, MODEL, TESTED]
    assert found.status == "failed" and len(found.reason) < 500 and "\n" not in found.reason
    assert f"{TESTED}.json: " in found.reason and "`dvc repro`" in found.reason
    assert all(row(records, name).ranked for name in METHODS[1:3])


def test_the_tables_and_pages_of_a_profile_hold_the_refused_and_all_others_as_they_were(folder, good, tmp_path):
    whole = Path(shutil.copytree(good, tmp_path / "whole" / "quick"))
    damage(quality(folder), bad_records.put("schema_version", 2))
    damage(speed(folder, "magnitude-heads"), bad_records.put("points.0.pairs", 0))
    for results in (whole, folder):
        collect("quick", METHODS, [MODEL], results, asked=asked())
    rows = {name: fixtures.read_csv(folder / f"{name}.csv") for name in ("quality", "leaderboard", "throughput")}
    before = fixtures.read_csv(whole / "quality.csv")
    others = [each for each in before if each["method"] != TESTED]
    assert [each for each in rows["quality"] if each["method"] != TESTED] == others
    own = [each for each in rows["quality"] if each["method"] == TESTED]
    assert [(each["status"], each["value"]) for each in own] == [("failed", "")] and "schema_version" in own[0][
        "reason"
    ]
    board = next(each for each in rows["leaderboard"] if each["method"] == TESTED)
    assert (board["status"], board["ranked"], board["group"]) == ("failed", "false", "attention")
    timed = [each for each in rows["throughput"] if each["method"] == "magnitude-heads"]
    assert [(each["status"], each["speedup"]) for each in timed] == [("failed", "")] and "pairs" in timed[0]["reason"]
    assert json.loads((folder / "summary.json").read_text())["cells"]["failed"] == 1
    build("quick", folder, tmp_path / "site")
    assert "schema_version is 2" in (tmp_path / "site" / "run" / MODEL / f"{TESTED}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("damaged", [
    lambda path: path.write_text("{"),
    lambda path: path.write_text(path.read_text().replace(fixtures.MACHINE, "other")),
])  # fmt: skip
def test_what_was_timed_on_a_machine_that_is_not_known_is_refused(folder, damaged):
    damaged(folder / "machines" / f"{fixtures.MACHINE}.json")
    records = read(folder, asked())
    assert {record.status for record in records.speeds.values()} == {"failed"}
    assert all(f"machines/{fixtures.MACHINE}.json" in record.reason for record in records.speeds.values())
    assert row(records).ranked and row(records).speedup_50 is None


def test_a_refused_record_stands_where_the_method_stands_on_another_model(tmp_path):
    models = [MODEL, "vit-digits"]
    names = ["dense", "layer-similarity-mlp"]
    cells = {(model, name): fixtures.cell("quick", model, name) for model in models for name in names}
    folder = fixtures.write_profile(tmp_path, cells=cells)
    damage(quality(folder, names[1]), bad_records.put("title", 3))
    records = load("quick", names, models, folder)
    found = next(row for row in leaderboard_rows(records) if (row.model, row.method) == (MODEL, names[1]))
    assert (found.group, found.title, found.status) == ("other", "Layer similarity, MLP", "failed")


def test_a_leaderboard_without_any_record_of_a_model_names_what_was_asked(tmp_path):
    records = load("quick", METHODS, [MODEL], tmp_path / "quick", asked=asked(recovered={MODEL: (0.5,)}))
    assert records.tasks(MODEL) == [TASK] and [view.setting for view in records.views()] == ["as is", "recovered"]
