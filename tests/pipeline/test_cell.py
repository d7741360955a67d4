"""A cell: one method on one model, measured, recorded and resumed."""

from __future__ import annotations

import json

import pytest

from headroom.config.params import load
from headroom.measure.machine import machine
from headroom.pipeline.quality import run
from headroom.results.records import CellRecord, read, write


def measured(world, method="tested"):
    params = load(world.params)
    write(params.machine, machine(1))
    return run(params, "params.yaml", method, "bert-toy")


def test_the_dense_point_comes_first_and_retains_everything(world):
    record = measured(world, "dense")
    dense = record.points[0]
    assert (dense.target, dense.units_removed, dense.tasks["toy-classification"].retained) == (0.0, 0, 1.0)
    assert dense.tasks["toy-classification"].difference_low == dense.tasks["toy-classification"].difference_high == 0


def test_the_dense_cell_reports_the_floor_of_every_kind(world):
    assert [point.label for point in measured(world, "dense").points if point.label] == ["floor:encoder.self"]


@pytest.mark.parametrize("name", ["random-heads", "magnitude-heads", "michel-greedy", "layer-similarity", "by-depth"])
def test_every_method_removes_what_was_asked_and_agrees_with_the_mask(world, name):
    world.use(name, "{examples: 16}" if name in ("michel-greedy", "layer-similarity") else "{}")
    record = measured(world, name)
    assert record.status == "ok", record.reason
    for point in record.points:
        assert abs(point.units_removed - point.target * point.units) < 1
        assert point.logit_difference < 1e-4
        assert point.attention_parameters_removed > 0 or point.units_removed == 0


def test_a_random_method_is_drawn_as_often_as_params_say(world):
    world.use("random-heads")
    assert {point.seed for point in measured(world, "random-heads").points} == {0, 1}


def test_two_runs_give_the_same_points(world):
    world.use("michel-greedy", "{examples: 16}")
    first = measured(world, "michel-greedy").model_dump()["points"]
    import shutil

    shutil.rmtree(world.folder / "work" / "test" / "journal")
    assert measured(world, "michel-greedy").model_dump()["points"] == first


def test_a_point_already_measured_is_not_measured_again(world, caplog):
    caplog.set_level("INFO")
    measured(world, "dense")
    measured(world, "dense")
    assert "2 measured now" in caplog.text and "0 measured now" in caplog.text


def test_a_journal_entry_torn_by_the_disk_is_measured_again(world):
    record = measured(world, "dense")
    for file in (world.folder / "work" / "test" / "journal").rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:40])
    assert measured(world, "dense").points == record.points


def test_a_record_reads_back_as_it_was_written(world):
    record = measured(world, "dense")
    assert read(load(world.params).quality_record("bert-toy", "dense"), CellRecord) == record


def test_a_method_that_raises_keeps_its_finished_points_and_says_why(world):
    world.method("tested", "yield Plan(0.25, frozenset(list(ctx.units)[:2]))\nraise RuntimeError('ran aground')")
    record = measured(world)
    assert record.status == "failed" and "methods/tested.py: RuntimeError: ran aground" in record.reason
    assert [point.status for point in record.points] == ["ok", "failed", "failed"]


def test_a_plan_with_the_wrong_share_is_refused_with_the_right_number(world):
    world.method("tested", "for target in targets: yield Plan(target, frozenset(list(ctx.units)[:3]))")
    reasons = [point.reason for point in measured(world).points]
    assert reasons[0] == ""
    assert "plan for target 1.00 removes 3 of 8 units (0.375). Remove 8, or yield Plan(target=1.00" in reasons[2]


def test_a_wrong_share_with_a_note_is_the_methods_own_choice(world):
    world.method(
        "tested", "for target in targets: yield Plan(target, frozenset(list(ctx.units)[:3]), note='three is all')"
    )
    assert {point.status for point in measured(world).points} == {"ok"}


def test_scores_that_are_no_numbers_fail_the_cell_by_name(world):
    world.method(
        "tested",
        "score = ctx.units.zeros()\nfor s in score.values(): s[0] = float('nan')\n"
        "for target in targets: yield Plan(target, ctx.units.lowest(score, target))",
    )
    assert "2 of 8 scores are NaN, first head:encoder.self.0.0" in measured(world).reason


def test_a_method_that_never_returns_a_plan_is_stopped(world):
    world.change("plan_seconds: 60", "plan_seconds: 0.3")
    world.method("tested", "while True: pass\nyield")
    assert "yielded no plan within 0.3 s" in measured(world).reason


def test_a_method_that_ends_without_a_plan_has_failed_at_every_target(world):
    world.method("tested", "return\nyield")
    record = measured(world)
    assert [point.status for point in record.points] == ["failed"] * 3
    assert "yielded no plan for this target" in record.reason


def test_a_unit_of_another_model_is_refused(world):
    world.method(
        "tested", "from headroom.api import Unit\nyield Plan(0.25, frozenset({Unit.parse('head:decoder.self.9.9')}))"
    )
    assert "head:decoder.self.9.9, which is none of the 8 units offered" in measured(world).points[0].reason


def test_an_unsupported_model_is_a_sentence_and_no_failure(world):
    world.method("tested", "yield", needs="supports = lambda self, model: 'It needs a decoder.'")
    record = measured(world)
    assert (record.status, record.reason, record.points) == ("unsupported", "It needs a decoder.", [])


def test_evaluation_data_are_out_of_a_methods_reach(world):
    world.method(
        "tested",
        "assert not [n for n in vars(ctx) if 'eval' in n.lower()]\n"
        "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))",
    )
    assert measured(world).status == "ok"


def test_the_record_says_how_to_get_it_again(world):
    record = json.loads(measured(world, "dense").model_dump_json())
    assert record["provenance"]["command"] == "headroom stage quality --params params.yaml dense bert-toy"
    assert record["provenance"]["threads"] == 1 and len(record["provenance"]["weight_hash"]) == 64


def test_the_harness_counts_the_cost(world):
    world.use("michel-greedy", "{examples: 16}")
    cost = measured(world, "michel-greedy").costs[0]
    assert (cost.forward, cost.backward, cost.updates) == (16, 16, 0)


def test_gradients_of_weights_are_counted_as_those_of_gates(world):
    world.use("taylor-weight", "{examples: 12, batch_size: 4}")
    cost = measured(world, "taylor-weight").costs[0]
    assert (cost.forward, cost.backward, cost.updates) == (12, 12, 0)


def test_a_method_that_trains_gates_and_weights_fits_the_interface(world):
    """What the trained track needs: gates of its own that get gradients, the harness's loop, weights in the plan."""
    world.method(
        "tested",
        """
        import torch
        log_a = {site: torch.nn.Parameter(torch.zeros(len(units))) for site, units in ctx.units.sites.items()}
        before = {name: weight.clone() for name, weight in ctx.model.state_dict().items()}
        loss = lambda batch: ctx.loss(batch) + sum(a.sigmoid().sum() for a in log_a.values())
        with ctx.gates(values=lambda site: log_a[site].sigmoid()):
            with ctx.trained(loss, share=0.5, extra=log_a.values(), extra_learning_rate=0.1) as weights:
                assert any((weight != before[name]).any() for name, weight in ctx.model.state_dict().items())
        assert all((weight == before[name]).all() for name, weight in ctx.model.state_dict().items())
        assert all((a != 0).all() for a in log_a.values())
        for target in targets:
            yield Plan(target, ctx.units.lowest(log_a, target), weights=weights)
        """,
        needs="from headroom.api import Track; track = Track.TRAINED",
    )
    world.recover()
    record = measured(world)
    assert record.status == "ok", record.reason
    assert {point.setting for point in record.points} == {"recovered"}, "trained weights are never measured as is"
    assert record.costs[0].updates == 5 and record.points[0].weights.endswith(".safetensors")
    assert record.points[0].updates == 10, "what the method leaves of its steps goes into fine-tuning the removed model"
    assert record.points[0].logit_difference < 1e-4, "masked and removed are compared on the trained weights"


def test_a_method_that_trains_is_out_of_reach_without_a_recovery(world):
    world.method("tested", "yield", needs="from headroom.api import Track; track = Track.TRAINED")
    assert "recover has no steps for bert-toy" in measured(world).reason


def test_a_method_that_starts_from_scratch_is_out_of_reach_of_a_pretrained_model(world):
    world.use("ght-scratch", "{method: voting-to-stay, training: scratch, groups: [2]}")
    world.recover()
    facts = world.folder / "work/test/models/bert-toy/prepare.json"
    known = json.loads(facts.read_text())
    known["spec"] |= {"train": None, "source": {"folder": "elsewhere"}}
    facts.unlink()  # the fixture's own may be shared
    facts.write_text(json.dumps(known))
    record = measured(world, "ght-scratch")
    assert (record.status, record.points) == ("unsupported", [])
    assert record.reason == "bert-toy came pretrained, so nothing can be trained from scratch in its place."


def test_a_method_cannot_spend_more_steps_than_the_others(world):
    world.method(
        "tested",
        "with ctx.trained(ctx.loss, share=0.7):\n    with ctx.trained(ctx.loss, share=0.7): yield",
        needs="from headroom.api import Track; track = Track.TRAINED",
    )
    world.recover()
    assert "asked for 7 update steps with 7 of 10 spent" in measured(world).reason


def test_every_plan_is_measured_as_is_and_recovered(world):
    world.use("random-heads")
    world.recover()
    points = measured(world, "random-heads").points
    assert {(point.setting, point.updates) for point in points} == {("as is", 0), ("recovered", 10)}
    assert len(points) == 2 * 2 * 3, "two settings, two draws, three targets"
    as_is, recovered = ([p for p in points if p.setting == setting] for setting in ("as is", "recovered"))
    assert [p.plan for p in as_is] == [p.plan for p in recovered], "the same plans"
    assert [p.tasks for p in as_is] != [p.tasks for p in recovered], "and other models"


def test_targets_that_are_recovered_are_the_same_for_methods_that_train(world):
    world.method(
        "tested",
        "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))",
        needs="from headroom.api import Track; track = Track.TRAINED",
    )
    world.recover()
    world.change("learning_rate: 0.002}", "learning_rate: 0.002, targets: [0.5]}")
    assert [(p.setting, p.target) for p in measured(world).points] == [("recovered", 0.5)]


def test_another_target_to_recover_measures_only_itself(world):
    world.use("random-heads")
    world.recover()
    world.change("learning_rate: 0.002}", "learning_rate: 0.002, targets: [0.5]}")
    measured(world, "random-heads")
    world.change("targets: [0.5]}", "targets: [0.25, 0.5]}")
    done = world.run("stage", "quality", "random-heads", "bert-toy")
    assert "2 measured now" in done.stderr, "one target more for each of two draws, and no plan again"


def test_other_steps_to_recover_reach_the_methods_that_do_not_train_too(world):
    world.use("random-heads")
    world.recover()
    measured(world, "random-heads")
    world.change("steps: 10,", "steps: 4,")
    updates = {point.updates for point in measured(world, "random-heads").points if point.setting == "recovered"}
    assert updates == {4}, "the plans in the journal were made for ten steps"


def test_the_recovered_dense_model_is_point_zero_of_its_setting(world):
    world.recover()
    dense = [point for point in measured(world, "dense").points if not point.label]
    assert [(point.setting, point.target, point.updates) for point in dense] == [
        ("as is", 0.0, 0),
        ("recovered", 0.0, 10),
    ]
    assert all(point.tasks["toy-classification"].retained == 1.0 for point in dense)


def test_points_of_a_methods_own_answer_to_no_target(world):
    world.method(
        "tested",
        "for left in (1, 3): yield Plan(1 - left / 4, frozenset(list(ctx.units)[left:]), natural=f'{left} left')",
        needs="natural = True",
    )
    record = measured(world)
    assert record.status == "ok", record.reason
    assert [(point.natural, point.units_removed) for point in record.points] == [("3 left", 5), ("1 left", 7)]


def test_the_floor_of_blocks_is_the_model_without_any_sublayer(world):
    world.use("layer-similarity", "{remove: block, examples: 16}")
    record = measured(world, "layer-similarity")
    assert record.status == "ok", record.reason
    floor = record.points[-1]
    assert (floor.target, floor.units_removed, floor.attention_parameters_removed) == (1.0, 2, 1.0)
    assert floor.logit_difference < 1e-4


def test_quality_needs_no_record_of_the_machine(world):
    params = load(world.params)
    assert not params.machine.exists()
    assert run(params, "params.yaml", "dense", "bert-toy").status == "ok"


def test_a_profile_can_say_which_kinds_of_sites_lose_units(world):
    world.use("random-heads", "{remove: block}")
    world.change("draws: 2", "draws: 2, kinds: [encoder.self]")
    assert (
        measured(world, "random-heads").reason == "bert-toy has no such unit at encoder.self (params.yaml: run.kinds)."
    )
    assert {point.units for point in measured(world, "dense").points} == {8}
