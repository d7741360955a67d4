"""Agreement with the dense model stands beside the task's own metric, and the two never meet in one ranking."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from fixtures import MODELS, cell, read_csv
from pydantic import ValidationError

from headroom.results import stats
from headroom.results.collecting import collect
from headroom.results.files import finding
from headroom.results.records import CellRecord

METHODS = ["dense", "random-heads", "michel-greedy", "magnitude-heads"]
MODEL, BLIND, EXAMPLES = "bert-pydocs", 2.0, 60
NOTHING = np.column_stack([np.zeros((EXAMPLES, 2)), np.ones(EXAMPLES)])


def counted(lost: float) -> np.ndarray:
    """Counts of examples that lost a share of the agreement on the mean."""
    draw = np.random.default_rng(int(lost * 1e6))
    bits = lost * BLIND * draw.uniform(0.5, 1.5, EXAMPLES)
    return np.column_stack([bits, draw.random(EXAMPLES) < lost, np.ones(EXAMPLES)])


def agreeing(record: CellRecord, slope: float) -> CellRecord:
    """The record with agreement on its task: it falls by ``slope`` times the share removed."""
    (task,) = record.tasks
    points = []
    for point in record.points:
        found = stats.agreement(counted(slope * point.target), NOTHING, BLIND, resamples=50)
        points.append(point.model_copy(update={"agreement": {task: found}}))
    facts = record.tasks[task].model_copy(
        update={"metric": "divergence", "better": "lower", "unit": "bits a prediction", "chance": BLIND}
    )
    return record.model_copy(update={"points": points, "agreement": {task: facts}})


@pytest.fixture(scope="module")
def slopes():
    return {"dense": 0.0, "random-heads": 0.9, "michel-greedy": 0.6, "magnitude-heads": 0.4}


@pytest.fixture
def both(small, slopes):
    records = {name: agreeing(cell("quick", MODEL, name), slope) for name, slope in slopes.items()}
    folder, run = small(MODEL, METHODS, **records)
    run()
    return folder


def test_each_quality_has_rows_and_places_of_its_own(both):
    rows = read_csv(both / "leaderboard.csv")
    ranked = [row for row in rows if row["ranked"] == "true"]
    assert {row["quality"] for row in ranked} == {"task", "agreement"}
    firsts = {row["quality"]: row["method"] for row in ranked if row["rank_all"] == "1" and row["setting"] == "as is"}
    assert firsts["agreement"] == "magnitude-heads"
    areas = {(row["quality"], row["method"]): float(row["area"]) for row in ranked}
    assert all(areas["agreement", name] != areas["task", name] for name in METHODS[1:])
    assert {(row["quality"], row["other"]) for row in read_csv(both / "pairs.csv")} <= {
        (quality, name) for quality in ("task", "agreement") for name in METHODS
    }


def test_its_retained_quality_is_what_is_left_of_the_divergence_of_a_model_without_skill(both):
    rows = [row for row in read_csv(both / "quality.csv") if row["quality"] == "agreement" and row["value"]]
    assert {row["metric"] for row in rows} == {"divergence"}
    for row in rows:
        assert float(row["retained"]) == pytest.approx(1 - float(row["value"]) / BLIND, abs=1e-5)
        assert 0 <= float(row["flips_low"]) <= float(row["flips"]) <= float(row["flips_high"]) <= 1
    own = [row for row in read_csv(both / "quality.csv") if row["quality"] == "task"]
    assert not any(row["flips"] for row in own)


def test_curves_of_agreement_carry_the_mean_of_the_flips(both):
    steps = [row for row in read_csv(both / "curves.csv") if row["quality"] == "agreement"]
    assert steps and all(row["flips"] for row in steps if float(row["target"]) > 0)


def test_older_records_have_rows_of_the_task_alone(small):
    folder, run = small(MODEL, METHODS)
    run()
    for name in ("quality", "leaderboard", "curves"):
        assert {row["quality"] for row in read_csv(folder / f"{name}.csv")} == {"task"}
    assert "agreement" not in (folder / "quality" / MODEL / "dense.json").read_text()


def test_paired_tests_of_agreement_take_its_own_counts(small, slopes, tmp_path):
    records = {name: agreeing(cell("quick", MODEL, name), slope) for name, slope in slopes.items()}
    folder, _ = small(MODEL, METHODS, **records)
    scores = tmp_path / "scores" / MODEL
    scores.mkdir(parents=True)
    for name, record in records.items():
        arrays = {}
        for point in record.points:
            (task,) = record.tasks
            place = f"{point.setting}/{point.seed}/{point.label}/{point.place}"
            arrays[f"{task} agreement/{place}"] = counted(slopes[name] * point.target)
            right = np.random.default_rng(3).random(EXAMPLES) < 0.9 - 0.5 * point.target
            arrays[f"{task}/{place}"] = np.column_stack([right, np.ones(EXAMPLES)])
        np.savez_compressed(scores / f"{name}.npz", **arrays)
    collect("quick", METHODS, [MODEL], folder.parent, tmp_path / "scores")
    rows = [row for row in read_csv(folder / "leaderboard.csv") if row["quality"] == "agreement"]
    assert {row["paired"] for row in rows if row["ranked"] == "true"} == {"true"}
    best = next(row for row in rows if row["method"] == "magnitude-heads")
    assert (best["rank_all"], best["rank_all_last"]) == ("1", "1"), "60 examples tell what accuracy leaves tied"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"flips": 1.5}, "less than or equal to 1"),
        ({"flips": 0.5, "flips_high": 0.4}, "interval"),
        ({"value": 1.9}, "value"),
        ({"retained": 0.1, "retained_low": 0.0, "retained_high": 1.0}, "retained"),
        ({"examples": 3}, "examples"),
    ],
)
def test_agreement_that_cannot_be_so_is_refused(change, said):
    record = agreeing(cell("quick", MODEL, "michel-greedy"), 0.5).model_dump(mode="json")
    point = next(point for point in record["points"] if point["target"] == 0.5)
    next(iter(point["agreement"].values())).update(change)
    with pytest.raises(ValidationError) as caught:
        CellRecord.model_validate(record)
    assert said in finding(caught.value)


def test_agreement_on_a_task_that_the_record_does_not_name_is_refused():
    record = agreeing(cell("quick", MODEL, "michel-greedy"), 0.5).model_dump(mode="json")
    record["points"][-1]["agreement"] = {}
    with pytest.raises(ValidationError) as caught:
        CellRecord.model_validate(record)
    assert finding(caught.value).startswith("points.") and "agreement" in finding(caught.value)


def said(words: str, task: str, targets: tuple[float, ...]) -> dict:
    return {
        "points": [
            {"setting": "as is", "seed": 0, "place": str(target), "said": {task: [f"{words} {target}"] * 2}}
            for target in targets
        ],
        "shown": {
            task: [
                {"given": "a text", "wanted": "right", "picture": ""},
                {"given": "", "wanted": "7", "picture": base64.b64encode(b"an image").decode()},
            ]
        },
    }


def test_answers_are_those_of_the_best_method_and_of_the_random_one_beside_the_dense_models(small, tmp_path):
    folder, _ = small(MODEL, METHODS)
    (task,) = MODELS[MODEL].tasks
    (tmp_path / "scores" / MODEL).mkdir(parents=True)
    for name in METHODS:
        found = said(name, task, (0.0,) if name == "dense" else (0.25, 0.5, 0.625, 0.75))
        (tmp_path / "scores" / MODEL / f"{name}.json").write_text(json.dumps(found))
    collect("quick", METHODS, [MODEL], folder.parent, tmp_path / "scores")
    rows = read_csv(folder / "answers.csv")
    board = read_csv(folder / "leaderboard.csv")
    best = next(row["method"] for row in board if row["rank_all"] == "1" and row["stochastic"] == "false")
    assert list(dict.fromkeys(row["method"] for row in rows)) == ["dense", best, "random-heads"]
    assert [float(row["target"]) for row in rows if row["method"] == best] == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    assert all(row["said"] == f"{row['method']} {float(row['target'])}" for row in rows)
    text, image = rows[0], rows[1]
    assert (text["given"], text["wanted"], text["image"]) == ("a text", "right", "")
    assert (folder / image["image"]).read_bytes() == b"an image"


@pytest.mark.parametrize("content", [None, "", "{", '{"points": [], "shown": {}}'])
def test_where_no_answers_were_kept_there_are_no_rows_of_them(small, tmp_path, content):
    folder, _ = small(MODEL, METHODS)
    if content is not None:
        (tmp_path / "scores" / MODEL).mkdir(parents=True)
        (tmp_path / "scores" / MODEL / "dense.json").write_text(content)
    collect("quick", METHODS, [MODEL], folder.parent, tmp_path / "scores")
    assert read_csv(folder / "answers.csv") == []
