"""Removed models of one model timed against the dense one: each timing is kept, and only new ones are made."""

from __future__ import annotations

import shutil

import pytest

from headroom.measure.machine import machine
from headroom.results.files import read
from headroom.results.speed_records import SpeedRecord

FIRST = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"

LEARNS = """
with ctx.trained(lambda batch: ctx.loss(batch)) as weights:
    for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target), weights=weights)
"""


@pytest.fixture
def timed(world, caplog):
    """The stage ``time``: its lines by method, its records, and whether it needed torch."""
    caplog.set_level("INFO")

    def run():
        caplog.clear()
        needed = []
        records = world.time(ready=lambda: needed.append(True))
        lines = {line.split(" on ")[0]: line.partition(": ")[2] for line in caplog.messages if " timings, " in line}
        return lines, records, bool(needed)

    return run


def test_only_what_is_new_is_timed(world, timed, monkeypatch):
    """One test for the whole story, because it is about what one run leaves to the next."""
    world.use("random-heads")
    world.measure()
    lines, first, needed = timed()
    assert lines == {"random-heads": "1 timings, 1 new", "dense": "1 timings, 1 new"} and needed
    assert [point.target for point in first["random-heads"].points] == [0.5]
    assert read(world.loaded.speed_record("bert-toy", "dense"), SpeedRecord) == first["dense"]

    lines, again, needed = timed()
    assert lines == {"random-heads": "1 timings, 0 new", "dense": "1 timings, 0 new"}
    assert not needed, "where nothing is timed, torch is not imported"
    assert {name: record.points for name, record in again.items()} == {
        name: record.points for name, record in first.items()
    }

    world.method("tested", FIRST)
    world.method("twin", FIRST)
    world.measure()
    lines, _, _ = timed()
    assert lines == {
        "twin": "1 timings, 1 new",
        "tested": "1 timings, 1 new",
        "random-heads": "1 timings, 0 new",
        "dense": "1 timings, 0 new",
    }
    timings = list((world.journal / "timings").iterdir())
    assert len(timings) == 3, "two methods that remove the same units are timed once"

    world.change("length: 8}]", "length: 8}, {kind: encode, batch: 1, length: 4}]")
    lines, records, _ = timed()
    assert set(lines.values()) == {"2 timings, 1 new"}, "another workload times only that"
    assert records["dense"].points[0] == first["dense"].points[0]
    assert [(point.batch, point.length) for point in records["tested"].points] == [(2, 8), (1, 4)]

    other = lambda threads: machine(threads).model_copy(update={"fingerprint": "other"})  # noqa: E731
    monkeypatch.setitem(type(world).time.__globals__, "machine", other)
    lines, records, _ = timed()
    assert set(lines.values()) == {"2 timings, 2 new"}, "another machine times everything"
    assert records["dense"].machine == "other"


def test_a_cell_without_points_says_why_it_has_no_timings(world, timed):
    world.method("tested", "raise RuntimeError('ran aground')\nyield")
    world.method("choosy", "yield", needs="supports = lambda self, model: 'It needs a decoder.'")
    world.measure()
    world.record("dense").unlink()
    _, records, needed = timed()
    assert not needed
    assert {name: (record.status, record.reason) for name, record in records.items()} == {
        "choosy": ("unsupported", "It needs a decoder."),
        "tested": ("failed", "methods/tested.py: RuntimeError: ran aground"),
        "dense": ("failed", "no point could be measured"),
    }


def test_a_plan_of_trained_weights_is_timed_without_them(world, timed):
    """They have the dense shapes, so what was trained on another machine is timed on this one."""
    world.method("tested", LEARNS, "from headroom.api import Track; track = Track.TRAINED")
    world.recover()
    trained = [point for point in world.measure()["tested"].points if point.target == 0.5]
    assert trained[0].weights
    shutil.rmtree(world.folder / "work/test/weights")
    _, records, _ = timed()
    assert [point.plan_hash for point in records["tested"].points] == [trained[0].plan_hash]
