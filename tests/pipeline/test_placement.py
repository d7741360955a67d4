"""Device kind and number format determine an answer: they are stated in records and part of every key."""

import json
from dataclasses import replace

import pytest

from headroom.config.model_spec import load_spec
from headroom.errors import UserError
from headroom.models.placement import Placement
from headroom.pipeline.model_run import ModelRun
from headroom.results.asked import Asked
from headroom.results.places import unlike_asked

TRAIN = {"steps": 1, "batch": 1, "learning_rate": 0.1}
TRAINED = {"source": {"config": {"family": "bert"}}, "tasks": ["t"], "train": TRAIN}
CAME = {"source": {"folder": "somewhere"}, "tasks": ["t"]}


@pytest.mark.parametrize(
    ("entry", "device", "saved", "dtype"),
    [
        (TRAINED, "cpu", "float32", "float32"),
        (TRAINED, "cuda", "float32", "float32"),
        (CAME, "cpu", "float32", "float32"),
        (CAME, "cpu", "bfloat16", "bfloat16"),  # what its folder states
        (CAME, "cuda", "float32", "bfloat16"),
        (CAME | {"dtype": "float32"}, "cuda", "bfloat16", "float32"),
        (CAME | {"dtype": "float16"}, "cpu", "float32", "float16"),
    ],
)
def test_the_number_format_is_the_stated_one_or_short_on_an_accelerator_or_as_saved(entry, device, saved, dtype):
    placement = Placement.of(load_spec("m", entry), device, saved)
    assert (placement.device, placement.dtype, placement.spread) == (device, dtype, False)


def test_a_model_is_spread_over_accelerators_only():
    spec = load_spec("m", CAME | {"device_map": "auto"})
    assert Placement.of(spec, "cuda", "float32").options == {"dtype": "bfloat16", "device_map": "auto"}
    assert "device_map" not in Placement.of(spec, "cpu", "float32").options


@pytest.fixture(scope="module")
def measured(shared):
    """Records of two methods on the toy model, as it is and in 16 bits, with the keys that its answers have."""
    with shared() as world:
        world.use("magnitude-heads")
        world.use("michel-greedy", "{examples: 16}")
        whole, before = world.measure(), ModelRun(world.loaded, "params.yaml", "bert-toy").base
        notes = world.folder / "work/test/models/bert-toy/prepare.json"
        facts = json.loads(notes.read_text())
        facts["spec"]["dtype"] = "bfloat16"
        notes.write_text(json.dumps(facts))
        return whole, world.measure(), before, ModelRun(world.loaded, "params.yaml", "bert-toy").base


def test_every_record_states_device_and_number_format(measured):
    whole, short, *_ = measured
    assert {(one.provenance.device, one.provenance.dtype) for one in whole.values()} == {("cpu", "float32")}
    assert {(one.provenance.device, one.provenance.dtype) for one in short.values()} == {("cpu", "bfloat16")}


def test_another_number_format_is_another_question(measured):
    *_, before, after = measured
    assert (before["dtype"], after["dtype"]) == ("float32", "bfloat16")
    assert before["device"] == after["device"] == "cpu"


def test_methods_with_gates_and_gradients_work_in_sixteen_bits_and_removal_does_what_a_gate_of_zero_does(measured):
    _, short, *_ = measured
    for name in ("magnitude-heads", "michel-greedy"):
        points = [point for point in short[name].points if point.plan]
        assert points and all(point.status == "ok" for point in points)
        assert all(point.logit_difference < 0.05 for point in points)  # of logits near 2, in steps of 1/64


def test_a_device_that_torch_cannot_use_ends_the_run_with_a_sentence(world):
    world.change("run: {threads: 1,", "run: {threads: 1, device: cuda,")
    with pytest.raises(UserError, match=r"run.device is cuda, and torch .* Name cpu"):
        world.measure()


def test_a_record_of_another_device_than_the_one_asked_for_is_not_believed(world):
    record = world.measure()["dense"]
    asked = Asked.of(world.loaded)
    assert not list(unlike_asked(record, replace(asked, device="auto")))
    assert not list(unlike_asked(record, replace(asked, device="cpu")))
    assert [key for key, _ in unlike_asked(record, replace(asked, device="cuda"))] == ["provenance.device"]
