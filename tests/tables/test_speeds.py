"""The speed columns hold what was timed of the very step that they stand at."""

from __future__ import annotations

import fixtures
import pytest

from headroom.results.curves import curve
from headroom.results.load import load
from headroom.results.records import CellRecord
from headroom.results.speed_records import SpeedRecord
from headroom.results.speeds import speed_columns

MODEL, METHOD = "bert-pydocs", "michel-greedy"


def sweep() -> CellRecord:
    """Points of its own: each seed removes another share at the same name, so that the mean is no seed's share."""
    record = fixtures.cell("quick", MODEL, METHOD)
    points = [
        point.model_copy(update={"natural": f"lambda={point.target}", "target": point.target + 0.05 * (point.seed - 1)})
        for point in record.points
        if 0 < point.target < 0.9
    ]
    return record.model_copy(update={"natural": True, "points": points})


def timed(names: dict[float, str], shift: float) -> SpeedRecord:
    """A speed record of the first seed; at each of its shares the point has the name given, moved by ``shift``."""
    found = fixtures.speed("quick", fixtures.cell("quick", MODEL, METHOD))
    own = [p.model_copy(update={"natural": names[p.target], "target": p.target + shift}) for p in found.points]
    return found.model_copy(update={"points": own})


@pytest.fixture
def speedups(tmp_path):
    """The speed-up of every step of the sweep by its name, for a choice of names in the speed record."""

    def make(names: dict[float, str], shift: float) -> dict[str, float | None]:
        fixtures.write_profile(tmp_path, cells={(MODEL, METHOD): sweep()})
        records, own = load("quick", [METHOD], [MODEL], tmp_path), curve(sweep(), "package")
        records.speeds[fixtures.MACHINE, MODEL, METHOD] = timed(names, shift)
        arguments = records, fixtures.MACHINE, MODEL, METHOD, "50"
        found = {step.natural: speed_columns(*arguments, step, own.steps[0]) for step in own.steps[1:]}
        return {name: columns.get("speedup_50") for name, columns in found.items()}

    return make


def test_a_step_of_a_methods_own_has_its_speed_though_the_seed_timed_removed_another_share(speedups):
    found = speedups({0.25: "lambda=0.25", 0.5: "lambda=0.5", 0.75: "lambda=0.75"}, shift=-0.05)
    assert 1 < found["lambda=0.25"] < found["lambda=0.5"] < found["lambda=0.75"]
    assert found["lambda=0.125"] is None, "it was not timed"


def test_a_step_never_takes_the_speed_of_another_name_at_its_share(speedups):
    found = speedups({0.25: "lambda=9", 0.5: "lambda=8", 0.75: ""}, shift=0)
    assert set(found.values()) == {None}


def test_a_step_at_a_target_takes_the_speed_at_that_target(table):
    rows = [row for row in table("leaderboard") if row["model"] == MODEL and row["speedup_50"]]
    assert rows and {float(row["target_50"]) for row in rows} == {0.5}
