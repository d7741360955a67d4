"""A cell: one method on one model, its plans measured and recorded."""

from __future__ import annotations

import json
import shutil

import pytest

from headroom.results.files import read
from headroom.results.records import CellRecord

WRITTEN: dict[str, tuple[str, str]] = {}
TRAINED = "from headroom.api import Track; track = Track.TRAINED"


def written(name, plans, needs=""):
    """A method of these tests: the body of its ``plans``. All of them are measured together, once."""
    WRITTEN[name] = (plans, needs)


@pytest.fixture(scope="module")
def records(shared):
    """Every cell of the toy model as is, by method."""
    with shared() as world:
        for name in ("random-heads", "magnitude-heads", "by-depth"):
            world.use(name)
        for name in ("michel-greedy", "layer-similarity"):
            world.use(name, "{examples: 16}")
        world.use("taylor-weight", "{examples: 12, batch_size: 4}")
        world.use("block-similarity", "{method: layer-similarity, remove: block, examples: 16}")
        for name, (plans, needs) in WRITTEN.items():
            world.method(name, plans, needs)
        yield world.measure()


def test_the_dense_point_comes_first_and_retains_everything(records):
    dense = records["dense"].points[0]
    assert (dense.target, dense.units_removed, dense.tasks["toy-classification"].retained) == (0.0, 0, 1.0)
    assert dense.tasks["toy-classification"].difference_low == dense.tasks["toy-classification"].difference_high == 0


def test_the_dense_cell_reports_the_floor_of_every_kind(records):
    assert [point.label for point in records["dense"].points if point.label] == ["floor:encoder.self"]


@pytest.mark.parametrize("name", ["random-heads", "magnitude-heads", "michel-greedy", "layer-similarity", "by-depth"])
def test_every_method_removes_what_was_asked_and_agrees_with_the_mask(records, name):
    record = records[name]
    assert record.status == "ok", record.reason
    for point in record.points:
        assert abs(point.units_removed - point.target * point.units) < 1
        assert point.logit_difference < 1e-4
        assert point.attention_parameters_removed > 0 or point.units_removed == 0


def test_a_random_method_is_drawn_as_often_as_params_say(records):
    assert {point.seed for point in records["random-heads"].points} == {0, 1}


def test_a_record_reads_back_as_it_was_written(world):
    assert not world.loaded.machine.exists(), "and measuring needs no record of the machine"
    record = world.measure()["dense"]
    assert read(world.record("dense"), CellRecord) == record and record.status == "ok"


written("runs-aground", "yield Plan(0.25, frozenset(list(ctx.units)[:2]))\nraise RuntimeError('ran aground')")


def test_a_method_that_raises_keeps_its_finished_points_and_says_why(records):
    record = records["runs-aground"]
    assert record.status == "failed" and "methods/runs_aground.py: RuntimeError: ran aground" in record.reason
    assert [point.status for point in record.points] == ["ok", "failed", "failed"]


written("always-three", "for target in targets: yield Plan(target, frozenset(list(ctx.units)[:3]))")


def test_a_plan_with_the_wrong_share_is_refused_with_the_right_number(records):
    reasons = [point.reason for point in records["always-three"].points]
    assert reasons[0] == ""
    assert "plan for target 1.00 removes 3 of 8 units (0.375). Remove 8, or yield Plan(target=1.00" in reasons[2]


written("three-is-all", "for t in targets: yield Plan(t, frozenset(list(ctx.units)[:3]), note='three is all')")


def test_a_wrong_share_with_a_note_is_the_methods_own_choice(records):
    assert {point.status for point in records["three-is-all"].points} == {"ok"}


written(
    "no-number",
    "score = ctx.units.zeros()\nfor s in score.values(): s[0] = float('nan')\n"
    "for target in targets: yield Plan(target, ctx.units.lowest(score, target))",
)


def test_scores_that_are_no_numbers_fail_the_cell_by_name(records):
    assert "2 of 8 scores are NaN, first head:encoder.self.0.0" in records["no-number"].reason


written("silent", "return\nyield")


def test_a_method_that_ends_without_a_plan_has_failed_at_every_target(records):
    assert [point.status for point in records["silent"].points] == ["failed"] * 3
    assert "yielded no plan for this target" in records["silent"].reason


written("stranger", "from headroom.api import Unit\nyield Plan(0.25, frozenset({Unit.parse('head:decoder.self.9.9')}))")


def test_a_unit_of_another_model_is_refused(records):
    assert "head:decoder.self.9.9, which is none of the 8 units offered" in records["stranger"].points[0].reason


written("choosy", "yield", needs="supports = lambda self, model: 'It needs a decoder.'")


def test_an_unsupported_model_is_a_sentence_and_no_failure(records):
    record = records["choosy"]
    assert (record.status, record.reason, record.points) == ("unsupported", "It needs a decoder.", [])


written(
    "curious",
    "assert not [n for n in vars(ctx) if 'eval' in n.lower()]\n"
    "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))",
)


def test_evaluation_data_are_out_of_a_methods_reach(records):
    assert records["curious"].status == "ok"


def test_the_record_says_how_to_get_it_again(records):
    record = json.loads(records["dense"].model_dump_json())
    assert record["provenance"]["command"] == "headroom stage measure --params params.yaml bert-toy"
    assert record["provenance"]["threads"] == 1 and len(record["provenance"]["weight_hash"]) == 64


def test_the_harness_counts_the_cost(records):
    cost = records["michel-greedy"].costs[0]
    assert (cost.forward, cost.backward, cost.updates) == (16, 16, 0)


def test_gradients_of_weights_are_counted_as_those_of_gates(records):
    cost = records["taylor-weight"].costs[0]
    assert (cost.forward, cost.backward, cost.updates) == (12, 12, 0)


written("trains", "yield", needs=TRAINED)


def test_a_method_that_trains_is_out_of_reach_without_a_recovery(records):
    assert "recover has no steps for bert-toy" in records["trains"].reason


written(
    "own-points",
    "for left in (1, 3): yield Plan(1 - left / 4, frozenset(list(ctx.units)[left:]), natural=f'{left} left')",
    needs="natural = True",
)


def test_points_of_a_methods_own_answer_to_no_target(records):
    record = records["own-points"]
    assert record.status == "ok", record.reason
    assert [(point.natural, point.units_removed) for point in record.points] == [("3 left", 5), ("1 left", 7)]


def test_the_floor_of_blocks_is_the_model_without_any_sublayer(records):
    record = records["block-similarity"]
    assert record.status == "ok", record.reason
    floor = record.points[-1]
    assert (floor.target, floor.units_removed, floor.attention_parameters_removed) == (1.0, 2, 1.0)
    assert floor.logit_difference < 1e-4


def test_two_runs_give_the_same_points(world):
    world.use("michel-greedy", "{examples: 16}")
    first = world.measure()
    shutil.rmtree(world.journal)
    again = world.measure()
    assert {name: record.points for name, record in again.items()} == {
        name: record.points for name, record in first.items()
    }


def test_a_journal_torn_by_the_disk_is_measured_again(world, caplog):
    record = world.measure()["dense"]
    for file in world.journal.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:40])
    caplog.set_level("INFO")
    assert world.measure()["dense"].points == record.points
    assert "2 points, 2 new" in caplog.text


def test_a_method_that_never_returns_a_plan_is_stopped(world):
    world.change("plan_seconds: 60", "plan_seconds: 3")
    world.method("tested", "while True: pass\nyield")
    assert "yielded no plan within 3 s" in world.measure()["tested"].reason


def test_a_profile_can_say_which_kinds_of_sites_lose_units(world):
    world.use("random-heads", "{remove: block}")
    world.change("draws: 2", "draws: 2, kinds: [encoder.self]")
    records = world.measure()
    assert records["random-heads"].reason == (
        "bert-toy has no such unit at encoder.self (params.yaml: run.kinds, or kinds of the entry)."
    )
    assert {point.units for point in records["dense"].points} == {8}
