"""Points that are fine-tuned after the removal: the same steps for every plan, and for methods that train."""

from __future__ import annotations

import json

import pytest

from headroom.errors import UserError
from headroom.pipeline.preflight import preflight

TRAINED = "from headroom.api import Track; track = Track.TRAINED"

TRAINS_GATES = """
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
"""


@pytest.fixture(scope="module")
def records(shared):
    """Every cell of the toy model, as is and recovered, by method."""
    with shared() as world:
        world.recover()
        world.use("random-heads")
        world.method("trains-gates", TRAINS_GATES, TRAINED)
        world.method("greedy", "with ctx.trained(ctx.loss, 0.7):\n    with ctx.trained(ctx.loss, 0.7): yield", TRAINED)
        yield world.measure()


def test_a_method_that_trains_gates_and_weights_fits_the_interface(records):
    """What the trained track needs: gates of its own that get gradients, the harness's loop, weights in the plan."""
    record = records["trains-gates"]
    assert record.status == "ok", record.reason
    assert {point.setting for point in record.points} == {"recovered"}, "trained weights are never measured as is"
    assert record.costs[0].updates == 5 and record.points[0].weights.endswith(".safetensors")
    assert record.points[0].updates == 10, "what the method leaves of its steps goes into fine-tuning the removed model"
    assert record.points[0].logit_difference < 1e-4, "masked and removed are compared on the trained weights"


def test_a_method_cannot_spend_more_steps_than_the_others(records):
    assert "asked for 7 update steps with 7 of 10 spent" in records["greedy"].reason


def test_every_plan_is_measured_as_is_and_recovered(records):
    points = records["random-heads"].points
    assert {(point.setting, point.updates) for point in points} == {("as is", 0), ("recovered", 10)}
    assert len(points) == 2 * 2 * 3, "two settings, two draws, three targets"
    as_is, recovered = ([p for p in points if p.setting == setting] for setting in ("as is", "recovered"))
    assert [p.plan for p in as_is] == [p.plan for p in recovered], "the same plans"
    assert [p.tasks for p in as_is] != [p.tasks for p in recovered], "and other models"


def test_the_recovered_dense_model_is_point_zero_of_its_setting(records):
    dense = [point for point in records["dense"].points if not point.label]
    assert [(point.setting, point.target, point.updates) for point in dense] == [
        ("as is", 0.0, 0),
        ("recovered", 0.0, 10),
    ]
    assert all(point.tasks["toy-classification"].retained == 1.0 for point in dense)


def test_records_say_what_learned_and_older_ones_read_as_full(world, records):
    world.use("random-heads")
    world.recover()
    world.change("{steps: 10,", "{kind: distil, rank: 2, steps: 10,")
    points = world.measure()["random-heads"].points
    assert {(p.setting, p.recovery) for p in points} == {("as is", "full"), ("recovered", "distil")}
    assert world.record("random-heads").read_text().count('"recovery"') == len(points) / 2
    before = records["random-heads"].points
    assert {p.recovery for p in before} == {"full"} and "recovery" not in before[-1].model_dump_json()
    as_is, learned = ([p.tasks for p in points if p.setting == setting] for setting in ("as is", "recovered"))
    assert as_is == [p.tasks for p in before if p.setting == "as is"], "the dense model was not changed by what learned"
    assert learned != [p.tasks for p in before if p.setting == "recovered"]


def test_adapters_want_their_package_before_anything_runs(world, monkeypatch):
    world.recover()
    world.change("{steps: 10,", "{kind: lora, steps: 10,")
    monkeypatch.setattr("headroom.config.recovery.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"recover.bert-toy.kind is lora: .*Run `pip install 'headroom\[heal\]'`"):
        preflight(world.params)


def test_targets_that_are_recovered_are_the_same_for_methods_that_train(world, caplog):
    """And another target measures only itself."""
    world.use("random-heads")
    world.method("tested", "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))", TRAINED)
    world.recover()
    world.change("learning_rate: 0.002}", "learning_rate: 0.002, targets: [0.5]}")
    assert [(p.setting, p.target) for p in world.measure()["tested"].points] == [("recovered", 0.5)]

    caplog.set_level("INFO")
    world.change("targets: [0.5]}", "targets: [0.25, 0.5]}")
    world.measure()
    assert "tested on bert-toy: ok, 2 points, 1 new" in caplog.text
    assert "random-heads on bert-toy: ok, 10 points, 2 new" in caplog.text, "one target more for each of two draws"


def test_other_steps_to_recover_reach_the_methods_that_do_not_train_too(world):
    world.use("random-heads")
    world.recover()
    world.measure()
    world.change("steps: 10,", "steps: 4,")
    updates = {point.updates for point in world.measure()["random-heads"].points if point.setting == "recovered"}
    assert updates == {4}, "the plans in the journal were made for ten steps"


def test_a_method_that_starts_from_scratch_is_out_of_reach_of_a_pretrained_model(world):
    world.use("ght-scratch", "{method: voting-to-stay, training: scratch, groups: [2]}")
    world.recover()
    facts = world.folder / "work/test/models/bert-toy/prepare.json"
    known = json.loads(facts.read_text())
    known["spec"] |= {"train": None, "tokenizer": {}, "source": {"folder": "elsewhere"}}
    facts.write_text(json.dumps(known))
    record = world.measure()["ght-scratch"]
    assert (record.status, record.points) == ("unsupported", [])
    assert record.reason == "bert-toy came pretrained, so nothing can be trained from scratch in its place."
