"""The terminal prints what methods say and obeys none of it."""

from __future__ import annotations

import logging

import pytest
from rich.text import Text

from headroom.config.plain import PlainLines
from headroom.terminal.layout import Listing, made
from headroom.terminal.printing import PlainConsole

NASTY = "[/INST] [red]no[/] :warning: \x1b[2J\x07\x9b31m \ud800 \u202e321 \x1b]0;title\x07"
LEFT = "[/INST] [red]no[/] :warning: [2J31m \N{REPLACEMENT CHARACTER} 321 ]0;title"


def table(text):
    found = made(text, text)
    found.add_row(text)
    found.caption = text
    return found


def listing(text):
    found = Listing(text, ("name",), caption=text)
    found.add(text, text=text)
    return found


@pytest.mark.parametrize("thing", [str, Text, table, listing])
def test_whatever_is_printed_has_no_markup_and_no_control_codes(thing, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    PlainConsole().print(thing(NASTY))
    PlainConsole(stderr=True).print(thing(NASTY))
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert LEFT in text
        assert not any(mark in text for mark in "\x1b\x07\x9b\ud800\u202e")


def test_a_terminal_still_gets_its_colours(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    PlainConsole().print(Text("failed", "bold red"))
    assert "\x1b[1;31mfailed" in capsys.readouterr().out


def test_lines_of_the_log_are_plain_too():
    record = logging.LogRecord("a", logging.INFO, "", 0, "%s", (NASTY,), None)
    assert PlainLines().format(record) == LEFT
