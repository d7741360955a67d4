"""Tables on a terminal of one column, of none, without a name, without colours: everything is said, nothing is cut."""

from __future__ import annotations

import pytest
from rich.text import Text

from headroom.terminal.printing import PlainConsole

READING = (
    *(["list"], ["show"], ["compare", "michel-greedy", "layer-similarity"], ["--help"], ["verify", "--help"]),
    *(["choose", "--loss", "20%"], ["show", "--all"]),
)
TERMINALS = (
    {"COLUMNS": "1"},
    {"COLUMNS": "3"},
    {"COLUMNS": "0"},
    {"COLUMNS": "-5"},
    {"COLUMNS": "wide"},
    {"COLUMNS": "100000"},
    {"TERM": "dumb"},
    {"TERM": ""},
    {"TERM": "nobody-knows-it"},
    {"NO_COLOR": "1", "FORCE_COLOR": "1"},
)
CASES = [  # every command on one terminal, every terminal with one command, and the rest where there is time
    pytest.param(
        words, terminal, marks=[pytest.mark.slow] if words != ["show"] and terminal != {"COLUMNS": "1"} else []
    )
    for words in READING
    for terminal in TERMINALS
]


@pytest.mark.parametrize(("words", "terminal"), CASES, ids=str)
def test_tables_are_printed_whatever_the_terminal(whole, headroom, monkeypatch, words, terminal):
    for name, value in terminal.items():
        monkeypatch.setenv(name, value)
    said = headroom(*words)
    assert said.code == 0 and said.out and not said.err


@pytest.mark.parametrize("columns", ["1", "3", "20"])
def test_names_and_sentences_are_whole_where_no_column_fits(whole, headroom, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    words = headroom("list").out.split()
    assert "layer-similarity" in words and "constructed-pair" in words and "…" not in "".join(words)
    assert "michel-greedy" in headroom("show").out.split()


def test_no_colour_is_no_colour(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "")  # as its authors have it, an empty one says nothing
    PlainConsole().print(Text("failed", "red"))
    monkeypatch.setenv("NO_COLOR", "1")
    PlainConsole().print(Text("failed", "red"))
    coloured, plain = capsys.readouterr().out.splitlines()
    assert "31m" in coloured and plain == "failed"
