"""Checks and figures on planted models reach the pages: one line a method, and all of it on the method's own page."""

from __future__ import annotations

import pytest
from lxml import html as parser

from headroom.site.checking import checked
from headroom.site.numbers import DASH


def section(site, page: str):
    found = parser.fromstring((site / page).read_text(encoding="utf-8"))
    (checks,) = found.xpath("//section[@aria-labelledby='checks-title']")
    return checks


def test_the_distance_to_the_oracle_is_a_column(site):
    rows = section(site, "claims.html").xpath(".//tbody/tr")
    words = [[" ".join(cell.text_content().split()) for cell in row] for row in rows]
    assert words == [
        ["Michel et al., greedy", "3", "1.00", "0.240.11 to 0.44"],
        ["Magnitude", "0 1 expected failure", DASH, "0.440.21 to 0.64"],
    ]


def test_a_method_page_gives_every_check_with_its_models_and_reason(site):
    checks = section(site, "method/magnitude-heads.html").text_content()
    assert "1 failed as expected" in checks and "Weights of a dead head need not be small." in checks
    checks = section(site, "method/michel-greedy.html").text_content()
    assert "3 passed" in checks and "bert, vit" in checks


def test_methods_that_were_not_checked_have_no_section(site):
    with pytest.raises(ValueError, match="unpack"):
        section(site, "method/random-heads.html")


def test_checks_alike_stand_together_and_others_apart():
    row = {"method": "a", "check": "check_it_goes", "verdict": "passes", "reason": ""}
    other = {"model": "vit", "verdict": "fails", "reason": "no"}
    (one,) = checked([row | {"model": "bert"}, row | {"model": "llama"}, row | other])
    assert [(group.check, group.verdict, group.models) for group in one.groups] == [
        ("it goes", "passes", ["bert", "llama"]),
        ("it goes", "fails", ["vit"]),
    ]
    assert one.tally == {"passes": 2, "fails": 1}
