"""Ranks, losses, removable shares and the comparison with random say what the curves say."""

from __future__ import annotations

import fixtures
import numpy as np
import pytest

from headroom.results.collecting import collect
from headroom.results.curves import at, curve, group_of, removable_step
from headroom.results.load import load
from headroom.results.speed_records import SpeedPoint
from headroom.results.speeds import claimed


def row(rows, **wanted):
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def test_a_value_between_two_points_is_linear_and_beyond_the_last_unknown():
    assert at([0, 0.5, 1], [1, 0.8, 0], 0.25) == pytest.approx(0.9)
    assert at([0, 1, 0.5], [1, 0, 0.8], 0.75) == pytest.approx(0.4)
    assert at([0, 0.4], [1, 0.5], 0.5) is None


def test_removable_stops_at_the_first_point_whose_lower_end_falls_too_low():
    own = curve(fixtures.cell("quick", "vit-digits", "michel-greedy"), "digits")
    step = removable_step(own, 0.05)
    later = [s for s in own.steps if s.target > step.target]
    assert step.target > 0 and step.low >= 0.95 > later[0].low
    assert removable_step(own, 0.0).target == 0


def test_units_of_attention_alone_are_ranked_apart():
    assert group_of(["head"]) == group_of(["kv_group"]) == group_of(["attention"]) == "attention"
    assert group_of(["attention", "mlp"]) == group_of(["mlp"]) == group_of(["block"]) == "other"


def test_an_mlp_method_is_not_ranked_on_attention_parameters(table):
    found = row(table("leaderboard"), model="vit-digits", method="layer-similarity-mlp")
    assert (found["group"], found["axis"]) == ("other", "all parameters removed")
    assert found["lost_75"] == ""  # all MLPs together are less than three quarters of the parameters


def test_rows_that_intervals_cannot_separate_share_places(small):
    twin = fixtures.cell("quick", "bert-pydocs", "deepest-first")
    same = twin.model_copy(update={"method": "shallowest-first", "title": "Twin"})
    methods = ["dense", "random-heads", "deepest-first", "shallowest-first"]
    folder, run = small("bert-pydocs", methods, **{"shallowest-first": same})
    run()
    rows = fixtures.read_csv(folder / "leaderboard.csv")
    one, other = (row(rows, method=name) for name in ("deepest-first", "shallowest-first"))
    assert (one["rank"], one["rank_last"]) == (other["rank"], other["rank_last"]) == ("1", "2")
    assert row(rows, method="random-heads")["rank"] == "3"


def test_tracks_are_ranked_apart_and_together(table):
    rows = [r for r in table("leaderboard") if r["model"] == "bert-pydocs" and r["group"] == "attention" and r["rank"]]
    michel = row(rows, method="michel-greedy")
    assert (michel["track"], michel["rank"], michel["rank_last"]) == ("gradient", "1", "1")
    assert michel["rank_all_last"] > "1"  # a forward method cannot be told apart from it
    assert {r["rank"] for r in rows if r["track"] == "forward"} >= {"1"}


def test_random_is_ranked_on_the_mean_of_its_draws_with_their_range(table):
    found = row(table("leaderboard"), model="vit-digits", method="random-heads")
    least, mean, most = (float(found[name]) for name in ("area_least", "area", "area_most"))
    assert found["seeds"] == "5" and least < mean < most
    assert found["above_random_middle"] == ""  # not compared with itself


def test_better_and_worse_than_the_middle_of_the_random_band(table):
    rows = table("leaderboard")
    good = row(rows, model="vit-digits", method="layer-similarity")
    assert good["above_random_middle"] == "true" and int(good["above_random_targets"]) >= 6
    assert good["random_axis"].startswith("interpolated")
    bad = row(rows, model="vit-digits", method="shallowest-first")
    assert bad["above_random_middle"] == "false" and float(bad["random_p"]) == 1
    same = row(rows, model="bert-pydocs", method="magnitude-heads")
    assert same["random_axis"] == "same targets" and same["compared_targets"] == "7"
    assert row(rows, model="vit-digits", method="layer-similarity-mlp")["random_method"] == ""


def test_cost_speed_and_savings_stand_beside_the_quality(table):
    found = row(table("leaderboard"), model="lm-pydocs", task="cloze", method="michel-greedy")
    assert found["work"] == "prefill, batch 8, length 128, float32"
    assert float(found["speedup_50"]) > 1 and float(found["ideal_50"]) >= float(found["speedup_50"])
    assert float(found["kv_bytes_50"]) == 1536 and float(found["parameters_50"]) == pytest.approx(0.11)
    assert float(found["cost_backward"]) == 512
    assert row(table("leaderboard"), model="mt-constructed", method="magnitude-heads")["speedup_5"] == ""


def test_a_difference_is_claimed_only_from_five_per_cent_and_without_noise(table):
    base = fixtures.speed("quick", fixtures.cell("quick", "vit-digits", "layer-similarity")).points[0]

    def timed(**changes) -> SpeedPoint:
        return base.model_copy(
            update={"speedup": 1.2, "speedup_low": 1.1, "speedup_high": 1.3, "noisy": False} | changes
        )

    assert claimed(timed())
    assert not claimed(timed(speedup=1.04, speedup_low=1.02, speedup_high=1.06))
    assert not claimed(timed(speedup_low=0.99))
    assert not claimed(timed(noisy=True))
    assert claimed(timed(speedup=0.8, speedup_low=0.7, speedup_high=0.9))
    assert "true" in {row["noisy"] for row in table("throughput") if row["method"] == "magnitude-heads"}


def test_examples_in_common_pair_the_ranks(small, tmp_path):
    """Two methods, one right wherever the other is and on a few examples more: paired, they differ."""
    methods = ["dense", "random-heads", "deepest-first", "shallowest-first"]
    twin = fixtures.cell("quick", "bert-pydocs", "deepest-first")
    twin = twin.model_copy(update={"method": "shallowest-first", "title": "Twin"})
    folder, _ = small("bert-pydocs", methods, **{"shallowest-first": twin})
    right = np.random.default_rng(0).random(1000) < 0.7
    fewer = right & (np.arange(1000) % 50 != 0)
    for method, seeds in [("dense", 1), ("random-heads", 5), ("deepest-first", 1), ("shallowest-first", 1)]:
        hits = {"dense": np.ones(1000, bool), "shallowest-first": fewer}.get(method, right)
        stats = np.stack([hits, np.ones(1000)], axis=1)
        arrays = {f"package/as is/{seed}//{t}": stats for seed in range(seeds) for t in [0.0, *fixtures.TARGETS]}
        path = tmp_path / "scores" / "bert-pydocs" / f"{method}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
    collect("quick", methods, ["bert-pydocs"], folder, tmp_path / "scores")
    rows = fixtures.read_csv(folder / "leaderboard.csv")
    assert {r["paired"] for r in rows if r["ranked"] == "true"} == {"true"}
    assert row(rows, method="shallowest-first")["rank"] == "3"
    assert row(rows, method="deepest-first")["rank_last"] == "2"


def test_the_folder_of_a_profile_may_be_given_itself(folder):
    records = load("quick", ["dense"], ["bert-pydocs"], folder)
    assert records.folder == folder and ("bert-pydocs", "dense") in records.cells


def test_a_dense_model_that_is_not_clear_of_chance_ranks_nobody(small):
    dense = fixtures.cell("quick", "bert-pydocs", "dense").model_copy(deep=True)
    task, facts = next(iter(dense.tasks.items()))
    whole = next(point for point in dense.points if point.target == 0)
    whole.tasks[task] = whole.tasks[task].model_copy(update={"low": facts.chance - 1})
    folder, run = small("bert-pydocs", ["dense", "random-heads"], dense=dense)
    run()
    found = row(fixtures.read_csv(folder / "leaderboard.csv"), method="random-heads")
    assert found["ranked"] == "false" and "not clear of chance" in found["reason"]
