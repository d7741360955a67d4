"""Ctrl-C, SIGKILL and a full disk lose nothing that was finished."""

from __future__ import annotations

import errno
import signal
import time

import pytest

from headroom.cli import main
from headroom.pipeline.journal import Journal

IN_ORDER = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"


def ready(world):
    """A random method with so many draws that a blow comes before the end, and a pipeline to run it in."""
    world.method("tested", IN_ORDER, needs="stochastic = True")
    world.change("draws: 2", "draws: 200")
    world.run("sync")
    world.run("stage", "machine")


def answers(world):
    return {path: path.stat().st_mtime_ns for path in (world.folder / "work/test/journal").glob("*/[!.]*.npz")}


def measured(world):
    return sum(path.parent.name == "answers" for path in answers(world))


def wait_for(condition, seconds=60.0):
    while not condition():
        time.sleep(0.05)
        seconds -= 0.05
        assert seconds > 0, "nothing happened"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_after_a_blow_the_finished_points_are_found_again(world, blow):
    ready(world)
    process = world.start("stage", "quality", "tested", "bert-toy")
    wait_for(lambda: measured(world) >= 4)  # dense, and the three targets of draw 0, which all draws share
    process.send_signal(blow)
    said, _ = process.communicate(timeout=30)
    before = answers(world)
    assert process.returncode != 0 and "Traceback" not in said
    assert not (world.folder / "results/test/quality/bert-toy/tested.json").exists()

    world.change("draws: 200", "draws: 1")
    again = world.run("stage", "quality", "tested", "bert-toy")
    assert "ok, 3 points, 0 measured now" in again.stderr
    assert answers(world) == before


def test_ctrl_c_says_that_nothing_is_lost(world):
    ready(world)
    process = world.start("stage", "quality", "tested", "bert-toy")
    wait_for(lambda: measured(world) >= 1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "every finished point is kept" in said


def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_stored(world, monkeypatch, capsys):
    world.run("sync")
    world.run("stage", "machine")
    write, written = Journal.write, []

    def full(self, path, answer):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        write(self, path, answer)

    monkeypatch.setattr(Journal, "write", full)
    monkeypatch.setattr("sys.argv", ["headroom", "stage", "quality", "dense", "bert-toy"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "no space left" in capsys.readouterr().err
    assert written[0].exists()


def test_a_write_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez", full)
    journal = Journal(tmp_path)
    with pytest.raises(OSError):
        journal.write(tmp_path / "answers" / "x.npz", {"a": 1})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_killed_prepare_leaves_nothing_that_looks_finished(world):
    import shutil

    shutil.rmtree(world.folder / "work/test/models/bert-toy")
    world.change("steps: 60", "steps: 100000")
    process = world.start("stage", "prepare", "bert-toy")
    wait_for(lambda: list((world.folder / "work/test/models").glob(".bert-toy*")))
    process.kill()
    process.communicate(timeout=30)
    assert not (world.folder / "work/test/models/bert-toy").exists()
