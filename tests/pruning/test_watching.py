"""Whoever waits is told what is done, how far it is and how long still, and Ctrl-C does not lose what was found."""

from __future__ import annotations

import io
import logging
import os
import signal

import pytest

from headroom.pruning import watching
from headroom.pruning.watching import Bar, Watch, stoppable, watched


@pytest.fixture
def clock(monkeypatch):
    """Seconds that go by when a test says so."""
    time = [0.0]
    monkeypatch.setattr(watching, "now", lambda: time[0])
    return time


def test_lines_say_how_far_it_is_and_how_long_still(clock, caplog):
    caplog.set_level(logging.INFO)
    watch = Watch()
    with watch.doing("scoring", 40):
        for _ in range(20):
            clock[0] += 1.5
            watch.step()
    said = [record.message for record in caplog.records]
    assert said[0] == "scoring"
    assert said[1:] == ["scoring: 7 of 40, about 50 s left", "scoring: 14 of 40, about 39 s left"], "not every step"


def test_where_the_end_is_not_known_it_says_what_is_done(clock):
    watch = Watch()
    with watch.doing("scoring"):
        clock[0] = 8.0
        watch.step(3)
        assert watch.line() == "scoring: 3 done, 8.0 s so far"


def test_a_terminal_shows_a_bar_and_messages_stay(clock):
    from rich.console import Console
    from rich.progress import Progress

    out = io.StringIO()
    with Progress(console=Console(file=out, force_terminal=True, width=80), transient=True) as progress:
        bar = Bar(progress)
        with bar.doing("scoring", 4):
            bar.step(2)
            assert progress.tasks[0].completed == 2 and progress.tasks[0].total == 4
        assert not progress.tasks
        bar.tell("[half] is known")
    assert "[half] is known" in out.getvalue()


def test_elsewhere_there_is_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with watched() as watch:
        assert type(watch) is Watch


def test_ctrl_c_is_an_interruption_within_and_what_it_was_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stoppable():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
