"""Of forty methods a chart shows the best in colour, with names beside their lines that never cover one another."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import browsers
import made
import pytest
from matplotlib.figure import Figure

from headroom.results.collecting import collect
from headroom.site import build
from headroom.site.labels import MOST, STEP, anchors, apart, foremost
from headroom.site.numbers import TIMES
from headroom.site.ratios import far, ratios

AT = 0.05  # points: what a digit of the page's coordinates is worth


def row(method: str, area: float | None, random: str = "random-heads", stochastic: bool = False):
    return SimpleNamespace(
        method=method, area=area, ranked=area is not None, random_method=random, stochastic=stochastic
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of one model and twenty methods."""
    results = tmp_path_factory.mktemp("crowd")
    collect("quick", *made.write_many(results, 20, 1), results)
    build("quick", results, results / "site")
    return results / "site"


@pytest.fixture(scope="module")
def chart(crowd: Path) -> str:
    """The first chart of its front page."""
    page = (crowd / "index.html").read_text(encoding="utf-8")
    return re.search(r'<svg class="chart wide".*?</svg>', page, re.DOTALL)[0]


def groups(chart: str) -> dict[str, tuple[str, str]]:
    """Classes and content of every series."""
    found = re.findall(r'<g id="[^"]*" class="s ([^"]*)" data-m="([^"]*)">(.*?)</g>', chart, re.DOTALL)
    return {method: (classes, body) for classes, method, body in found}


def thin_in(chart: str) -> str:
    """A method that does not stand out and is no random one."""
    found = groups(chart)
    return next(one for one in ("shallowest-first", "deepest-first", "magnitude-heads") if "rest" in found[one][0])


def test_the_best_five_and_their_random_rival_stand_out():
    rows = [row(f"m{n}", n / 50) for n in range(40)] + [row("never", None)]
    rows += [row("random-heads", 0.4, stochastic=True), row("random-mlp", 0.5, stochastic=True)]
    drawn = [one.method for one in rows]
    assert foremost(rows, drawn) == ("m39", "m38", "m37", "m36", "m35", "random-heads")
    assert foremost(rows, drawn, ["m3"])[:2] == ("m3", "m39"), "what is on the front goes first"
    assert foremost(rows, ["m1", "random-mlp"]) == ("m1",), "only what is drawn"
    assert foremost(rows, ["random-mlp"]) == ("random-mlp",)


def test_names_keep_their_distance_their_order_and_the_paper_and_move_no_more_than_they_must():
    assert apart([10, 60, 110], 15, 0, 200) == [10, 60, 110], "nothing moves that has room"
    assert apart([50, 50, 50], 10, 0, 100) == [40, 50, 60], "a heap opens around its middle"
    assert apart([98, 99, 100], 10, 0, 100) == [80, 90, 100] and apart([-9, 0], 10, 0, 100) == [0, 10]
    crowded = apart([5.0] * 9, 15, 0, 80)
    assert crowded == sorted(crowded) and min(crowded) >= 0 and max(crowded) <= 80, "no room for all: they share it"
    assert apart([30, 20], 15, 0, 100) == [32.5, 17.5] and apart([], 15, 0, 10) == []


def test_a_name_belongs_to_the_point_where_lines_differ_most():
    one, other = ([0, 0.5, 1], [1, 0.9, 0]), ([0, 0.5, 1], [1, 0.2, 0])
    assert anchors([one, other]) == [(0.5, 0.9), (0.5, 0.2)]
    assert anchors([one, ([0, 0.25], [1, 0.7])])[1] == (0.25, 0.7), "a short line has it at its end"


def test_a_chart_draws_the_best_whole_with_a_name_and_all_others_thin(chart):
    found = groups(chart)
    rest = {method for method, (classes, _) in found.items() if "rest" in classes.split()}
    named = {method for method, (_, body) in found.items() if 'class="name"' in body}
    assert rest and named and not rest & named and rest | named == set(found) and len(named) <= MOST + 1
    assert all("<use" not in found[one][1] and 'class="bars"' not in found[one][1] for one in rest)
    heights = sorted(float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)"[^>]* class="name"', chart))
    gaps = [b - a for a, b in pairwise(heights)]
    assert len(heights) == len(named) and all(gap >= STEP - 2 * AT for gap in gaps)


def test_a_small_multiple_has_its_method_whole_and_no_names(crowd, chart):
    thin = thin_in(chart)
    page = (crowd / "method" / f"{thin}.html").read_text(encoding="utf-8")
    small = re.search(r'<div class="multiples">.*?</svg>', page, re.DOTALL)[0]
    assert 'class="name"' not in small and "rest" not in groups(small)[thin][0] and "<use" in groups(small)[thin][1]


def test_speeds_that_span_more_than_a_factor_of_four_stand_on_a_logarithmic_axis():
    assert far([1, 4.1]) and not far([1, 4]) and not far([0, 9])
    for ends, scale in (([0.8, 19.0], "log"), ([0.8, 2.0], "linear")):
        axes = Figure().add_subplot()
        axes.set_xlim(*ends)
        ratios(axes.xaxis, ends)
        assert axes.get_xscale() == scale
    axes = Figure().add_subplot()
    ratios(axes.xaxis, [0.8, 19.0])
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{n}{TIMES}" for n in (1, 2, 5, 10, 20)]


def test_scripts_place_names_as_the_page_does(site):
    with browsers.opened() as found:
        found.get((site / "index.html").as_uri())
        for wanted in ([50, 50, 50], [98, 99, 100], [30, 20, 25, 80], [5] * 9, [3.5]):
            said = found.execute_script("return Headroom.names.apart(arguments[0], 15, 0, 100)", wanted)
            assert said == pytest.approx(apart(wanted, 15, 0, 100))
        drawn = "document.querySelector('#board svg.chart').innerHTML"
        first = found.execute_script(f"return {drawn}")
        for choice, same in (("x=units", False), ("x=attention", True)):
            found.execute_script("location.hash = arguments[0]; dispatchEvent(new Event('hashchange'))", choice)
            assert (found.execute_script(f"return {drawn}") == first) is same


def test_a_method_that_is_chosen_is_in_colour_and_in_the_address(crowd, chart):
    thin = thin_in(chart)
    with browsers.opened() as found:
        found.get((crowd / "index.html").as_uri())
        pick = found.find_element("css selector", "#board .pick select")
        classes = f"return document.querySelector('#board svg.chart .s[data-m=\"{thin}\"]').getAttribute('class')"
        assert "rest" in found.execute_script(classes)
        found.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", pick, thin
        )
        assert f"m={thin}" in found.current_url and "rest" not in found.execute_script(classes)
        names = "[...document.querySelector('#board svg.chart').querySelectorAll('.name')]"
        heights = sorted(found.execute_script(f"return {names}.map(one => +one.getAttribute('y'))"))
        assert all(b - a >= STEP - 0.2 for a, b in pairwise(heights))
        assert found.execute_script(f"return !!document.querySelector('tr.picked[data-m=\"{thin}\"]')")
        assert browsers.complaints(found) == []
