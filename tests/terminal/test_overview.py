"""What is done, failed or stale fits into any terminal."""

from __future__ import annotations

import pytest
from rich.console import Console

from headroom.terminal.overview import NOT_ASKED, Overview

MODELS = [f"a-model-with-a-long-name-{number}" for number in range(6)]
STATES = ["ok", "failed", "stale", "missing", "unsupported", NOT_ASKED]


@pytest.fixture
def seen() -> Overview:
    states = {"michel-greedy": STATES, "nobodys": [NOT_ASKED] * 6, "dense": ["ok"] * 5 + ["running"]}
    return Overview(
        "real", MODELS, states, [f"michel-greedy on {MODELS[1]}, failed: it is too long for one line. " * 3]
    )


def printed(seen: Overview, width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(seen)
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 250])
def test_no_line_is_longer_than_the_terminal_and_every_model_is_named_whole(seen, width):
    lines = printed(seen, width)
    assert max(map(len, lines)) <= width
    assert all(any(model in line for line in lines) for model in MODELS)
    assert seen.unfinished == 4


def test_a_wide_terminal_has_words_and_a_narrow_one_marks_with_what_they_mean(seen):
    wide, narrow = printed(seen, 250), printed(seen, 80)
    assert wide[2].split() == ["michel-greedy", "ok", "failed", "stale", "missing", "unsupported", "not", "asked"]
    assert narrow[2].split() == ["michel-greedy", "+", "!", "~", ".", "-"]
    assert any("+ ok, ! failed, - unsupported, ~ stale, . missing, > running" in line for line in narrow)
    assert f"2 {MODELS[1]}: 1 failed, 1 ok" in "\n".join(narrow)


def test_a_method_that_no_model_is_asked_takes_no_line_where_there_is_little_room(seen):
    assert not any("nobodys" in line for line in printed(seen, 80))
    assert any("nobodys" in line for line in printed(seen, 250))
