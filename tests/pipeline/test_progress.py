"""How far a stage is: a live block on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from headroom.pipeline.progress import headline, progress
from headroom.results.records import CellRecord, Point, TaskScore


class Terminal(io.StringIO):
    """A standard error that is looked at."""

    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """What some steps show on a terminal."""
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    def show():
        monkeypatch.setattr(sys, "stderr", Terminal())
        some_steps()
        return sys.stderr.getvalue()

    return show


def without_codes(said):
    """The text, without the codes that move the cursor and choose colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def some_steps():
    with progress("bert-toy") as shown:
        shown.begin("points", 3)
        for _ in range(2):
            shown.step("michel-greedy")
        logging.getLogger("headroom").warning("a word of the method")
        shown.cell("dense on bert-toy: ok, 2 points, 2 new")
        shown.step("random-heads")


def test_without_a_terminal_every_finished_cell_is_a_line(caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    caplog.set_level("INFO")
    some_steps()
    assert caplog.messages == ["a word of the method", "dense on bert-toy: ok, 2 points, 2 new"]


def test_a_terminal_shows_one_block_with_the_method_the_count_and_the_pace(shown):
    said = shown()
    block = next(line for line in reversed(without_codes(said).splitlines()) if "3/3" in line)
    assert "bert-toy: random-heads" in block and "a minute" in block
    assert "\x1b[1A" in said, "it is drawn over itself"


def test_a_terminal_keeps_the_lines_of_finished_cells_and_of_the_log(shown):
    said = without_codes(shown())
    assert "dense on bert-toy: ok, 2 points, 2 new" in said.splitlines()[-1]
    assert "a word of the method" in said


def test_the_log_is_as_it_was_after_a_run_that_broke_off(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    before = list(logging.getLogger().handlers)
    with pytest.raises(RuntimeError), progress("bert-toy"):
        raise RuntimeError("broke off")
    assert logging.getLogger().handlers == before


def cell(status="ok", reason="", points=()):
    return CellRecord.model_construct(
        method="michel-greedy", model="bert-toy", status=status, reason=reason, points=list(points)
    )


def point(removed, retained, status="ok"):
    score = TaskScore.model_construct(retained=retained)
    return Point.model_construct(status=status, units=8, units_removed=removed, tasks={"toy": score}, target=0.0)


def test_a_cell_in_a_line_says_what_it_keeps_with_half_of_its_units_gone():
    record = cell(points=[point(0, 1.0), point(2, 0.95), point(4, 0.876), point(4, 0.2, "failed"), point(8, 0.1)])
    assert headline(record, 24, 3) == (
        "michel-greedy on bert-toy: ok, 24 points, 3 new; keeps 88% of toy with 4 of 8 units gone"
    )


def test_a_cell_without_a_removed_unit_says_how_many_points_it_has():
    assert headline(cell(points=[point(0, 1.0)]), 2, 0) == "michel-greedy on bert-toy: ok, 2 points, 0 new"


def test_a_cell_that_could_not_be_done_says_why():
    assert headline(cell("unsupported", "It needs a decoder."), 0, 0) == (
        "michel-greedy on bert-toy: unsupported. It needs a decoder."
    )
    assert headline(cell("failed", "ran aground"), 3, 1).endswith("failed, 3 points, 1 new. ran aground")
    assert headline(cell("failed", "ran aground"), 0, 0) == "michel-greedy on bert-toy: failed. ran aground"
