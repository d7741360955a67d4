"""Only what can be believed is kept: what is damaged is measured again, what would contradict itself says so."""

from __future__ import annotations

import json

import pytest

from headroom.errors import UserError
from headroom.pipeline import collect, points, timing
from headroom.pipeline.points import Scoring
from headroom.results.asked import Asked
from headroom.results.load import load
from headroom.results.places import read_cell

MODEL = "bert-toy"


def edited(path, **changes):
    """Write a record again with other values."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_record_says_whether_its_plans_depend_on_seed_or_data(world):
    world.use("magnitude-heads")
    world.use("michel-greedy", "{examples: 16}")
    records = world.measure()
    assert {name: record.calibrated for name, record in records.items()} == {
        "dense": False,
        "magnitude-heads": False,
        "michel-greedy": True,
    }


def test_a_method_gets_as_many_calibration_examples_as_the_model_allows(world):
    world.use("michel-greedy", "{examples: 32}")
    assert [cost.forward for cost in world.measure()["michel-greedy"].costs] == [16], "the task has 32"


@pytest.mark.parametrize("changes", [{"schema_version": 0}, {"method": "other"}, {"points": []}, {"status": "odd"}])
def test_a_record_that_cannot_be_believed_is_as_good_as_none(world, changes):
    record = world.measure()["dense"]
    edited(world.record("dense"), **changes)
    with pytest.raises(UserError):
        read_cell(world.record("dense"), "test", MODEL, "dense")
    assert timing.quality(world.loaded, MODEL, "dense") is None
    assert world.measure()["dense"] == record == timing.quality(world.loaded, MODEL, "dense")


def test_a_figure_that_cannot_be_is_a_point_that_says_so(world, monkeypatch):
    monkeypatch.setattr(points, "lost", lambda *_: 1.5)
    record = world.measure()["dense"]
    assert record.status == "failed" and {point.status for point in record.points} == {"failed"}
    assert "What was measured cannot be: attention_parameters_removed is 1.5" in record.reason


def test_a_record_that_would_contradict_itself_holds_nothing_but_the_reason(world, monkeypatch):
    monkeypatch.setattr(Scoring, "task_facts", lambda _: {})
    record = world.measure()["dense"]
    assert record.status == "failed" and not record.points and "and the record none" in record.reason
    assert read_cell(world.record("dense"), "test", MODEL, "dense") == record


def test_all_that_measure_and_time_write_is_believed_when_collected(world):
    world.use("michel-greedy", "{examples: 16}")
    world.use("random-heads")
    world.recover()
    world.measure()
    world.time()
    params = world.loaded
    machine = json.loads(params.machine.read_text())["fingerprint"]
    (params.results / "machines").mkdir()
    (params.results / "machines" / f"{machine}.json").write_bytes(params.machine.read_bytes())
    collect.run(params)
    known = load("test", list(params.methods), list(params.models), params.results, asked=Asked.of(params))
    assert {cell.status for cell in known.cells.values()} == {"ok"} and len(known.cells) == 3
    assert {record.status for record in known.speeds.values()} == {"ok"} and len(known.speeds) == 3
    board = (params.results / "leaderboard.csv").read_text()
    assert board.count(",true,") >= 4, "both methods, as is and recovered"

    edited(params.speed_record(MODEL, "random-heads"), status="odd")
    collect.run(params)
    rows = [line for line in (params.results / "throughput.csv").read_text().splitlines() if "random-heads" in line]
    assert len(rows) == 1 and "failed" in rows[0] and "status is 'odd'" in rows[0]
