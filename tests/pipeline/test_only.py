"""What is asked of one model alone is all that is measured of it, and nothing else of it is called missing."""

from __future__ import annotations

import csv

import pytest

from headroom.errors import UserError
from headroom.pipeline import collect
from headroom.terminal.overview import overview

RUN = "resamples: 100}"


@pytest.fixture
def asked(world):
    """Three methods, of which two are asked of the model, at one target and with one draw."""
    for name in ("random-heads", "magnitude-heads", "by-depth"):
        world.use(name)
    world.change(
        RUN, "resamples: 100, only: {bert-toy: {methods: [random-heads, by-depth], targets: [0.5], draws: 1}}}"
    )
    return world


def board(world):
    with (world.folder / "results/test/leaderboard.csv").open() as file:
        return {row["method"]: row for row in csv.DictReader(file)}


def test_only_what_is_asked_of_a_model_is_measured_and_nothing_is_missing(asked):
    found = asked.measure()
    assert set(found) == {"dense", "random-heads", "by-depth"}
    assert {(point.target, point.seed) for point in found["random-heads"].points if point.target} == {(0.5, 0)}
    collect.run(asked.loaded)
    rows = board(asked)
    assert set(rows) == set(found), "a method that is not asked has no row that calls it missing"
    assert rows["random-heads"]["points_asked"] == "1" and rows["random-heads"]["points_ok"] == "1"
    assert rows["by-depth"]["status"] == "ok" and rows["by-depth"]["ranked"] == "true"
    seen = overview(asked.params)
    assert seen.unfinished == 0 and seen.states["magnitude-heads"] == ["not asked"]
    assert all(record.method in found for record in asked.time().values())


def test_a_record_of_what_is_not_asked_any_more_goes(world):
    for name in ("random-heads", "by-depth"):
        world.use(name)
    world.measure()
    assert world.record("by-depth").exists()
    world.change(RUN, "resamples: 100, only: {bert-toy: {methods: [random-heads]}}}")
    assert set(world.measure()) == {"dense", "random-heads"}
    assert not world.record("by-depth").exists() and world.record("random-heads").exists()


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("{bert-toi: {draws: 1}}", "run.only.bert-toi: there is no such model. Did you mean 'bert-toy'?"),
        ("{bert-toy: {methods: [random-haeds]}}", "run.only.bert-toy.methods: there is no method 'random-haeds'. Did"),
        ("{bert-toy: {targets: [0.3, 0.5]}}", "run.only.bert-toy.targets: holds 0.3, which run.targets lacks"),
        (
            "{bert-toy: {targets: [0.5, 0.25]}}",
            "only.bert-toy.targets is [0.5, 0.25]; name each once, in the order",
        ),
        ("{bert-toy: {targets: [0.25, 1.0]}}", "holds none of speed.targets, so nothing would be timed"),
        ("{bert-toy: {seeds: [3]}}", "run.only.bert-toy.seeds: holds 3, which run.seeds lacks"),
        ("{bert-toy: {draws: 0}}", "run.only.bert-toy.draws is 0"),
        ("{bert-toy: {sedes: [0]}}", "run.only.bert-toy.sedes: unknown key. Did you mean 'seeds'?"),
    ],
)
def test_what_the_profile_does_not_have_cannot_be_asked_of_a_model(world, only, said):
    world.use("random-heads")
    world.change(RUN, f"resamples: 100, only: {only}}}")
    with pytest.raises(UserError) as caught:
        world.loaded  # noqa: B018 - it is read and checked
    assert said in str(caught.value)


def test_a_target_that_is_not_asked_is_not_recovered(world):
    world.change(RUN, "resamples: 100, only: {bert-toy: {targets: [0.5]}}}")
    world.change("recover: {}", "recover: {bert-toy: {steps: 1, batch: 2, learning_rate: 0.1, targets: [0.25, 0.5]}}")
    with pytest.raises(UserError, match=r"holds 0.25, a target that run.only.bert-toy.targets"):
        world.loaded  # noqa: B018
