"""What there is can be read in the terminal before anything runs."""

from __future__ import annotations

import pytest

from headroom.api import Track
from headroom.config.params import load
from headroom.config.project import root
from headroom.config.registry import load_method, method_files
from headroom.terminal.listing import methods_table, needs

PROFILES = ("params.yaml", "profiles/real/params.yaml")


@pytest.mark.parametrize("params", PROFILES)
def test_every_method_says_its_track_what_it_removes_what_it_needs_and_its_paper(params):
    table = methods_table(root() / params)
    entries = load(root() / params).methods
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert set(method_files()) <= {row[0] for row in rows} | {(entry or {}).get("method") for entry in entries.values()}
    for name, track, removes, needed, paper, what in rows:
        assert track in set(Track) and removes and needed and what, name
        assert paper == "none" or paper.startswith("arXiv:"), name


def test_what_a_method_needs_follows_from_what_it_declares():
    said = {
        name: needs(load_method(name, entry, "test"))
        for name, entry in {
            "michel-greedy": {"examples": 64},
            "layer-similarity": {"examples": 32},
            "magnitude-heads": {},
            "random-heads": {},
            "voita-l0": {},
        }.items()
    }
    assert said == {
        "michel-greedy": "64 examples, forward and backward",
        "layer-similarity": "32 examples, forward",
        "magnitude-heads": "no data",
        "random-heads": "no data",
        "voita-l0": "update steps",
    }
