"""What there is can be read in the terminal before anything runs."""

from __future__ import annotations

import pytest
from rich.console import Console

from headroom.api import Track
from headroom.config.params import load
from headroom.config.project import profiles, root
from headroom.config.registry import load_method, method_files
from headroom.terminal.layout import Listing, made, wrapped
from headroom.terminal.listing import methods_table, models_table, needs, said, tasks_table

PROFILES = [path for path in profiles() if "methods:" in (root() / path).read_text(encoding="utf-8")]


@pytest.fixture(autouse=True)
def _inside(monkeypatch):
    """Paths in titles are as short as they are for someone who stands in the project."""
    monkeypatch.chdir(root())


@pytest.mark.parametrize("params", PROFILES, ids=str)
def test_every_method_says_its_track_what_it_removes_what_it_needs_and_its_paper(params):
    entries = load(params).methods
    rows = [row for listing in methods_table(params).renderables for row in listing.rows]
    assert [facts[0] for facts, _, _ in rows][: len(entries)] == list(entries)
    text = " ".join(text for _, text, _ in rows)
    for name, file in method_files().items():
        method = load_method(name, None, file.name)
        assert method.paper == "none" or f"{method.paper}." in text, name
    for (name, track, removes, needed), text, _ in rows:
        assert track in set(Track) and removes and needed and text, name


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("params", PROFILES, ids=str)
def test_at_every_width_names_and_headings_are_whole_and_lines_keep_to_the_width(params, width):
    methods, models = methods_table(params), models_table(params)
    tables = [*methods.renderables, models, tasks_table()]
    for table in tables:
        lines = printed(table, width)
        assert max(map(len, lines)) <= width
        for facts, _, _ in table.rows:
            assert any(line == facts[0] or line.startswith(f"{facts[0]}  ") for line in lines), facts
        in_columns = all(heading in lines[1].split() for heading in table.headings)
        assert in_columns or all(
            f"{table.headings[1]} {facts[1]}"[: width - 8] in " ".join(lines) for facts, _, _ in table.rows
        )
        assert in_columns or width < 120 or len(max((facts[-1] for facts, _, _ in table.rows), key=len)) > 60


def test_a_sentence_is_never_one_word_a_line():
    for width in (60, 80, 120):
        lines = printed(tasks_table(), width)
        under = [line for line in lines if line.startswith("    ")]
        assert sum(map(len, under)) / len(under) > width / 2


def test_a_terminal_too_narrow_for_the_columns_gets_each_fact_with_its_heading():
    listing = Listing("Things", ("name", "colour", "weight"), numbers=frozenset({"weight"}))
    listing.add("a-name-of-some-length", "green", "12", text="It is a thing.")
    listing.add("short", "", "7")
    assert printed(listing, 50) == [
        "Things",
        "name                   colour  weight",
        "a-name-of-some-length  green       12",
        "    It is a thing.",
        "short                               7",
    ]
    assert printed(listing, 30) == [
        "Things",
        "a-name-of-some-length",
        "    colour green; weight 12",
        "    It is a thing.",
        "short",
        "    weight 7",
    ]


def test_lines_break_between_words_only():
    lines = wrapped("see layer-similarity-no-residual in profiles/real/params.yaml", 24, "  ")
    assert lines == ["  see", "  layer-similarity-no-residual", "  in", "  profiles/real/params.yaml"]


def test_a_plain_table_folds_what_is_too_long_and_cuts_nothing():
    table = made("Title", "name")
    table.add_row("a" * 30)
    assert "".join(printed(table, 20)[2:]) == "a" * 30


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("michel-greedy", {}, "It ranks."),
        ("michel-greedy", {"examples": 9, "exact": True}, "It ranks. With examples: 9, exact: true."),
        ("other", {"method": "michel-greedy", "exact": True}, "michel-greedy with exact: true. It ranks."),
        ("other", {"method": "michel-greedy"}, "michel-greedy. It ranks."),
        ("michel-greedy", {"kinds": ["encoder.self"]}, "It ranks. Removes in encoder.self only."),
    ],
)
def test_an_entry_says_what_params_yaml_says_of_it(name, entry, words):
    assert said(load_method("michel-greedy", {}, "test"), name, entry, "It ranks.") == words


def test_what_a_method_needs_follows_from_what_it_declares():
    asked = {
        name: needs(load_method(name, entry, "test"))
        for name, entry in {
            "michel-greedy": {"examples": 64},
            "magnitude-heads": {},
            "random-heads": {},
            "voita-l0": {},
        }.items()
    }
    assert asked == {
        "michel-greedy": "64 examples",
        "magnitude-heads": "no data",
        "random-heads": "no data",
        "voita-l0": "update steps",
    }


def printed(thing, width):
    """The lines of something printed where no colours are, without the blanks at their ends."""
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(thing)
    return [line.rstrip() for line in captured.get().rstrip().split("\n")]
