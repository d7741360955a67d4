"""One clock for the whole package."""

import ast
from pathlib import Path

import pytest

from headroom.measure import clock
from headroom.measure.clock import Lap, ProcessClock, Stopwatch, clock_for
from headroom.measure.memory import peak_memory_mb

PACKAGE = Path(clock.__file__).parents[1]
CLOCKS = {"time", "timeit"}
DATES_ALLOWED = {"provenance.py", "archiving.py"}  # a record carries the day it was made, an archive that of its tables


def clocks_in(source: str) -> set[str]:
    """Modules with a clock that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found & (CLOCKS | {"datetime"})


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_else_has_a_clock(path):
    allowed = {"time"} if path == PACKAGE / "measure" / "clock.py" else set()
    allowed |= {"datetime"} if path.name in DATES_ALLOWED else set()
    assert clocks_in(path.read_text(encoding="utf-8")) <= allowed


def test_the_search_finds_clocks():
    assert clocks_in("import time as t") == {"time"}
    assert clocks_in("def f():\n    from time import perf_counter") == {"time"}
    assert clocks_in("from datetime import datetime\nimport timeit") == {"datetime", "timeit"}


def test_a_lap_holds_the_call():
    calls = []
    lap = ProcessClock().time(lambda: calls.append(sum(range(20000))))
    assert calls and isinstance(lap, Lap)
    assert lap.busy > 0 and lap.wall > 0
    assert isinstance(clock_for("cpu"), ProcessClock)


def test_a_stopwatch_keeps_its_time_even_after_an_error():
    watch = Stopwatch()
    with pytest.raises(KeyError), watch:
        raise KeyError
    assert watch.seconds > 0
    first = watch.seconds
    assert watch.seconds == first


def test_peak_memory_is_in_mebibytes():
    assert 10 < peak_memory_mb() < 1e6
