"""Plans as they are and plans that recovered never meet in one ranking."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures import MODELS, cell, read_csv, score

from headroom.results.choosing import Wish, answers
from headroom.results.load import load
from headroom.results.offers import offers
from headroom.results.records import CellRecord
from headroom.results.write import read_table
from headroom.terminal.answering import lost

METHODS = ["dense", "random-heads", "michel-greedy", "voita-l0"]


def recovered(record: CellRecord, gain: float, tuned: float = 1.0) -> list:
    """The record's series once more, fine-tuned; ``tuned`` is what that leaves of the dense model's quality."""
    tasks = {
        name: replace(task, dense=task.chance + tuned * (task.dense - task.chance))
        for name, task in MODELS[record.model].tasks.items()
    }
    points = [point for point in record.points if not point.label]
    return [
        point.model_copy(
            update={
                "setting": "recovered",
                "updates": 50,
                "tasks": {
                    name: score(tasks[name], min(1.0, found.retained + gain)) for name, found in point.tasks.items()
                },
            }
        )
        for point in points
    ]


@pytest.fixture
def both(small):
    """A model in two settings, with a method that trains and has points of its own."""
    records = {name: cell("quick", "bert-pydocs", name) for name in METHODS[:3]}
    found = {
        name: record.model_copy(update={"points": [*record.points, *recovered(record, 0.1)]})
        for name, record in records.items()
    }
    michel = records["michel-greedy"]
    own = [
        point.model_copy(update={"natural": f"lambda={point.target}", "target": point.target - 0.03 * point.seed})
        for point in recovered(michel, 0.2)
        if point.target in (0.25, 0.5, 0.75)
    ]
    changes = {"method": "voita-l0", "title": "Voita", "track": "trained", "natural": True, "points": own}
    folder, run = small("bert-pydocs", METHODS, **found, **{"voita-l0": michel.model_copy(update=changes)})
    run()
    return folder


def test_a_method_has_one_row_per_setting(both):
    rows = [row for row in read_csv(both / "leaderboard.csv") if row["method"] == "michel-greedy"]
    assert [row["setting"] for row in rows] == ["as is", "recovered"]
    assert float(rows[1]["area"]) > float(rows[0]["area"]), "each from its own points"
    assert [row["points_asked"] for row in rows] == ["24", "24"]


def test_settings_are_ranked_apart(both):
    firsts = [row["setting"] for row in read_csv(both / "leaderboard.csv") if row["rank_all"] == "1"]
    assert set(firsts) == {"as is", "recovered"}


def test_a_method_that_trains_stands_among_the_recovered_only(both):
    rows = [row for row in read_csv(both / "leaderboard.csv") if row["method"] == "voita-l0"]
    assert [(row["setting"], row["ranked"]) for row in rows] == [("recovered", "true")]
    assert {row["setting"] for row in read_csv(both / "quality.csv") if row["method"] == "voita-l0"} == {"recovered"}


def test_points_of_a_methods_own_are_complete_by_themselves_and_averaged_by_name(both):
    row = next(row for row in read_csv(both / "leaderboard.csv") if row["method"] == "voita-l0")
    assert (row["points_ok"], row["points_asked"]) == ("9", "9")
    steps = [row for row in read_csv(both / "curves.csv") if row["method"] == "voita-l0"]
    assert len(steps) == 4 and {step["seeds"] for step in steps[1:]} == {"3"}


@pytest.mark.parametrize(
    ("shares", "ranked"),
    [
        ((0.25, 0.5, 0.75, 1.0), "true"),
        ((1.0,), "false"),  # it removed nothing until the floor: the area would be that of a straight line
        ((0.0, 0.0, 0.0, 1.0), "false"),
        ((0.5, 0.5, 0.5, 1.0), "false"),  # three points, and one share
        ((0.25, 0.5, 1.0), "false"),
        ((0.125, 0.25, 0.5), "false"),  # the method reaches half of the units: its last point is its floor
    ],
)
def test_points_of_a_methods_own_make_a_curve_only_at_three_shares_between_dense_and_floor(small, shares, ranked):
    record = cell("quick", "bert-pydocs", "magnitude-heads")
    scored = {point.target: point for point in record.points}
    names = [f"lambda={place}" for place in range(len(shares) - 1)] + ["floor"]
    points = [scored[share].model_copy(update={"natural": name}) for share, name in zip(shares, names, strict=True)]
    swept = record.model_copy(update={"natural": True, "points": points})
    folder, run = small("bert-pydocs", ["dense", "random-heads", "magnitude-heads"], **{"magnitude-heads": swept})
    run()
    found = next(row for row in read_csv(folder / "leaderboard.csv") if row["method"] == "magnitude-heads")
    asked = str(sum(share > 0 for share in shares))
    assert (found["ranked"], found["points_ok"], found["points_asked"]) == (ranked, asked, asked)
    assert bool(found["rank"]) == bool(found["area"]) == (ranked == "true")
    assert ("a curve needs 3" in found["reason"]) == (ranked == "false")


def test_points_beyond_the_last_target_of_the_others_count_for_no_area(small):
    """Where targets up to three quarters are recovered, a sweep that goes on would have the area of its tail on top."""
    records = {name: cell("quick", "bert-pydocs", name) for name in ("dense", "random-heads", "magnitude-heads")}
    for name in ("dense", "random-heads"):
        kept = [point for point in records[name].points if point.target <= 0.75]
        records[name] = records[name].model_copy(update={"points": kept})
    shares = (0.25, 0.375, 0.5, 0.75, 0.875, 1.0)
    own = {point.target: point for point in records["magnitude-heads"].points if point.target in shares}
    sweep = [own[share].model_copy(update={"natural": f"lambda={share}"}) for share in shares]
    areas = []
    for points in (sweep, sweep[:4]):
        records["magnitude-heads"] = records["magnitude-heads"].model_copy(update={"natural": True, "points": points})
        folder, run = small("bert-pydocs", list(records), **records)
        run()
        rows = read_csv(folder / "leaderboard.csv")
        areas.append(next(row["area"] for row in rows if row["method"] == "magnitude-heads"))
    assert areas[0] == areas[1] != ""


def test_a_sweep_that_no_seed_completes_has_no_area(small):
    record = cell("quick", "bert-pydocs", "michel-greedy")
    lost = {(0.25, 0), (0.5, 1), (0.75, 2)}  # what removed nothing with one seed or another
    points = [
        point.model_copy(
            update={
                "natural": f"lambda={point.target}",
                "target": 0.0 if (point.target, point.seed) in lost else point.target,
            }
        )
        for point in record.points
        if point.target > 0
    ]
    swept = record.model_copy(update={"natural": True, "points": points})
    folder, run = small("bert-pydocs", ["dense", "random-heads", "michel-greedy"], **{"michel-greedy": swept})
    run()
    found = next(row for row in read_csv(folder / "leaderboard.csv") if row["method"] == "michel-greedy")
    assert (found["ranked"], found["area"]) == ("false", "") and "No seed" in found["reason"]


def test_a_failure_in_one_setting_leaves_the_other_ranked(small):
    record = cell("quick", "bert-pydocs", "michel-greedy")
    again = recovered(record, 0.1)
    again[3] = again[3].model_copy(update={"status": "failed", "reason": "The loss is nan.", "tasks": {}})
    broken = record.model_copy(
        update={"points": [*record.points, *again], "status": "failed", "reason": "The loss is nan."}
    )
    folder, run = small("bert-pydocs", METHODS[:3], **{"michel-greedy": broken})
    run()
    rows = {row["setting"]: row for row in read_csv(folder / "leaderboard.csv") if row["method"] == "michel-greedy"}
    assert rows["as is"]["ranked"] == "true" and rows["as is"]["status"] == "ok"
    assert rows["recovered"]["ranked"] == "false" and "The loss is nan." in rows["recovered"]["reason"]


def test_a_loss_of_a_recovered_row_counts_from_the_dense_model_as_it_came(small):
    """Fine-tuned alike the dense model keeps 80 %: whoever loses nothing beside that has lost 20 %."""
    dense, michel = (cell("quick", "bert-pydocs", name) for name in ("dense", "michel-greedy"))
    records = {
        "dense": dense.model_copy(update={"points": [*dense.points, *recovered(dense, 1.0, 0.8)]}),
        "michel-greedy": michel.model_copy(update={"points": [*michel.points, *recovered(michel, 1.0, 0.8)]}),
    }
    folder, run = small("bert-pydocs", METHODS[:3], **records)
    run()
    board = [row for row in read_csv(folder / "leaderboard.csv") if row["method"] == "michel-greedy"]
    assert [float(row["dense_kept"]) for row in board] == [1.0, pytest.approx(0.8)]
    tables = [read_table(folder, name) for name in ("leaderboard", "quality", "curves", "throughput")]
    cells = load("quick", METHODS[:3], ["bert-pydocs"], folder).cells
    found = [one for one in offers(cells, *tables) if one.setting == "recovered"]
    assert found and all(one.tuned == pytest.approx(0.8) and one.retained <= 0.8 + 1e-6 for one in found)
    reply = next(one for one in answers(found, Wish(0.05)) if one.setting == "recovered")
    assert reply.best is None and "20.0 by the fine-tuning alone" in lost(found[0])
