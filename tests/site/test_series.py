"""A chart's curve holds every step of its method with what was removed there, whatever the step is called."""

from __future__ import annotations

import csv
from pathlib import Path

import fixtures
import pytest

from headroom.errors import UserError
from headroom.results.collecting import collect
from headroom.site.book import read_book
from headroom.site.series import Series, series_of

MODEL, TASK, SWEEP = "bert-pydocs", "package", "michel-greedy"
NAMES = {0.125: "lambda=0.01", 0.25: "lambda=0.1", 0.5: "lambda=1", 0.75: "lambda=10", 1.0: "floor"}


def swept(lowest: int = 1) -> fixtures.CellRecord:
    """A sweep over three seeds that end at different shares; the mildest removes ``lowest`` units with the first."""
    record = fixtures.cell("quick", MODEL, SWEEP)

    def own(point: fixtures.Point) -> fixtures.Point:
        removed = lowest if (point.target, point.seed) == (0.125, 0) else point.units_removed
        removed -= point.seed if point.target < 1 else 0
        found = fixtures.point(MODEL, SWEEP, removed / point.units, point.seed)
        return found.model_copy(update={"natural": NAMES[point.target]})

    points = [own(point) for point in record.points if point.target in NAMES]
    return record.model_copy(update={"natural": True, "points": points})


def written(results: Path, record: fixtures.CellRecord) -> Path:
    cells = {(MODEL, name): fixtures.cell("quick", MODEL, name) for name in ("dense", "random-heads")}
    folder = fixtures.write_profile(results, cells=cells | {(MODEL, SWEEP): record})
    collect("quick", ["dense", "random-heads", SWEEP], [MODEL], results)
    return folder


def drawn(results: Path) -> Series:
    book = read_book("quick", results)
    return series_of(book, MODEL, TASK, "as is", book.board[MODEL, TASK])[SWEEP]


def test_steps_of_a_methods_own_find_their_points_by_name_though_seeds_end_at_different_shares(tmp_path):
    written(tmp_path, swept())
    stops = drawn(tmp_path).stops
    assert [stop.name for stop in stops] == ["", *NAMES.values()]
    assert [stop.shares["units"] for stop in stops[2:]] == pytest.approx([7 / 32, 15 / 32, 23 / 32, 1])
    assert all(stop.shares["macs"] is not None for stop in stops)


def test_two_steps_that_remove_as_much_stay_two(tmp_path):
    record = swept()
    ends = {point.seed: point.target for point in record.points if point.natural == "lambda=1"}  # half of the heads

    def other(point: fixtures.Point) -> fixtures.Point:
        """As many units as at lambda=1, but other ones."""
        found = fixtures.point(MODEL, SWEEP, ends[point.seed], point.seed + 5)
        return found.model_copy(update={"seed": point.seed, "natural": point.natural, "macs": 0.5})

    points = [other(point) if point.natural == "lambda=0.1" else point for point in record.points]
    written(tmp_path, record.model_copy(update={"points": points}))
    found = {stop.name: stop for stop in drawn(tmp_path).stops}
    assert found["lambda=0.1"].target == found["lambda=1"].target
    assert found["lambda=0.1"].shares["macs"] == pytest.approx(0.5)
    assert found["lambda=1"].shares["macs"] != pytest.approx(0.5)


def test_a_natural_point_that_removed_nothing_is_not_averaged_into_its_step(tmp_path):
    written(tmp_path, swept(lowest=0))
    mildest = drawn(tmp_path).stops[1]
    assert (mildest.name, mildest.seeds) == ("lambda=0.01", 2)
    assert mildest.shares["units"] == pytest.approx((3 / 32 + 2 / 32) / 2)


def test_a_curve_table_without_names_is_refused_with_the_next_step(tmp_path):
    path = written(tmp_path, swept()) / "curves.csv"
    rows = [{key: value for key, value in row.items() if key != "natural"} for row in fixtures.read_csv(path)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(UserError, match=r"curves\.csv: michel-greedy on bert-pydocs .* `dvc repro collect`"):
        drawn(tmp_path)
