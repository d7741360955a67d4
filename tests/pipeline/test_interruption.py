"""Ctrl-C, SIGKILL and a full disk lose nothing that was finished."""

from __future__ import annotations

import errno
import signal
import time

import psutil
import pytest

from headroom.pipeline.journal import Journal

IN_ORDER = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"


def endless(world):
    """A method whose last point, and that of the dense model, is fine-tuned for longer than any test."""
    world.method("tested", IN_ORDER)
    world.recover()
    world.change(
        "steps: 10, batch: 16, learning_rate: 0.002", "steps: 1000000, batch: 16, learning_rate: 0.002, targets: [1.0]"
    )


def answers(world):
    return {path: path.stat().st_mtime_ns for path in (world.journal / "answers").glob("[!.]*.npz")}


def wait_for(condition, seconds=120.0):
    while not condition():
        time.sleep(0.05)
        seconds -= 0.05
        assert seconds > 0, "nothing happened"


@pytest.mark.parametrize("blow", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT])
def test_after_a_blow_the_finished_points_are_found_again_and_no_worker_is_left(world, caplog, blow):
    endless(world)
    driver = world.start("stage", "measure", "bert-toy", "--workers", "2")
    wait_for(lambda: len(answers(world)) >= 4)  # dense, and the three targets; both workers go on for ever now
    workers = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(blow)
    said, _ = driver.communicate(timeout=60)
    gone, left = psutil.wait_procs(workers, timeout=30)
    assert len(gone) >= 3 and not left, "two workers and the server that they were forked from"
    assert driver.returncode != 0 and "Traceback" not in said
    if blow == signal.SIGINT:
        assert driver.returncode == 130 and "every finished point is kept" in said
    assert not world.record("tested").exists()

    before = answers(world)
    world.params.write_text(world.params.read_text().partition("recover:")[0])
    caplog.set_level("INFO")
    world.measure()
    assert "tested on bert-toy: ok, 3 points, 0 new" in caplog.text
    assert {path: time for path, time in answers(world).items() if path in before} == before


def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_stored(headroom, monkeypatch):
    write, written = Journal.write, []

    def full(self, path, answer):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        write(self, path, answer)

    monkeypatch.setattr(Journal, "write", full)
    code, said = headroom("stage", "measure", "bert-toy")
    assert code == 1 and "no space left" in said
    assert written[0].exists()


def test_a_disk_that_is_full_for_a_method_is_full_for_everyone(world, headroom):
    world.method("tested", "raise OSError(28, 'No space left on device', 'weights')\nyield")
    code, said = headroom("stage", "measure", "bert-toy")
    assert code == 1 and "weights: no space left" in said and not world.record("dense").exists()


def test_a_write_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez", full)
    journal = Journal(tmp_path)
    with pytest.raises(OSError):
        journal.write(tmp_path / "answers" / "x.npz", {"a": 1})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
