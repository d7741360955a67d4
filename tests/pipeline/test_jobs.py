"""Points measured by several processes: the same record, and nothing measured twice."""

from __future__ import annotations

import json
import shutil

import pytest

from headroom.pipeline import jobs


def record(world, *words, **environment):
    """The points of a cell whose journal is empty, and what the run said."""
    shutil.rmtree(world.folder / "work/test/journal", ignore_errors=True)
    done = world.run("stage", "quality", "random-heads", "bert-toy", *words, **environment)
    assert done.returncode == 0, done.stderr
    kept = json.loads((world.folder / "results/test/quality/bert-toy/random-heads.json").read_text())
    return kept["points"], done.stderr


@pytest.fixture
def ready(world):
    world.use("random-heads")
    world.recover()
    world.run("stage", "machine")
    return world


def test_several_processes_give_the_record_of_one(ready):
    alone, _ = record(ready)
    together, said = record(ready, "--jobs", "2")
    by_environment, also = record(ready, HEADROOM_JOBS="2")
    assert alone == together == by_environment
    for words in (said, also):  # the dense point belongs to no plan of this cell, so the run itself measures it
        assert "11 of 11" in words and "2 measured now" in words


def test_a_method_that_raises_is_asked_once_however_many_processes_measure(world):
    world.method("tested", "yield Plan(0.25, ctx.units.first(ctx.units.all, 0.25))\nraise ValueError('no more')")
    world.run("stage", "machine")
    done = world.run("stage", "quality", "tested", "bert-toy", "--jobs", "2")
    assert done.stderr.count("Traceback") == 1, done.stderr


@pytest.mark.parametrize(("error", "ends"), [(ValueError("no logits"), False), (MemoryError(), True)])
def test_a_broken_model_is_left_to_the_run_and_a_full_machine_ends_it(monkeypatch, error, ends):
    def fail(*question):
        raise error

    monkeypatch.setattr(jobs, "answer", fail)
    monkeypatch.setattr(jobs, "_cell", None, raising=False)
    if ends:
        with pytest.raises(MemoryError):
            jobs.measured(({}, "as is", 0))
    else:
        assert jobs.measured(({}, "as is", 0)) == "ValueError; see the end of the run"
