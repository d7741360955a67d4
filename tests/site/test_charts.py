"""A method looks the same in every chart, in light and dark, and no two methods of a chart look alike."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import fixtures

import headroom.site
from headroom.site import build
from headroom.site.styles import COLOURS, FAINT, INK, LINE, LOOKS, look
from headroom.tables import collect

CSS = (Path(headroom.site.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")


def charts(html: str) -> list[str]:
    return re.findall(r'<svg class="chart".*?</svg>', html, re.DOTALL)


def test_a_method_has_one_colour_in_all_charts(html):
    colours = defaultdict(set)
    for chart in charts(html):
        for method, colour in re.findall(r'data-m="([\w-]+)" fill="var\((--c\d)\)"', chart):
            colours[method].add(colour)
    assert set(colours) == set(fixtures.METHODS) - {"dense"}
    assert colours == {method: {f"--c{look(method).colour + 1}"} for method in colours}


def test_a_method_keeps_its_look_whoever_else_is_there():
    assert look("never-heard-of") == look("never-heard-of")
    assert look("michel-greedy").value == COLOURS[0]


def test_no_two_methods_of_the_table_look_alike():
    looks = [style for method, style in LOOKS.items() if not method.startswith("random") and method != "dense"]
    assert len(looks) == len(set(looks))
    assert len({(style.colour, style.marker) for style in looks}) == len(looks)


def test_charts_hold_no_colour_of_their_own_so_that_dark_pages_recolour_them(html):
    for chart in charts(html):
        assert not re.search(r"#[0-9a-fA-F]{6}\b(?!\w)", re.sub(r'(href="#|id=")\w+', "", chart))


def test_the_style_sheet_and_the_charts_agree_on_the_light_colours():
    named = dict(re.findall(r"--(\w+): light-dark\((#\w+)", CSS))
    assert [named[f"c{place}"] for place in range(1, 9)] == list(COLOURS)
    assert (named["ink"], named["faint"], named["line"]) == (INK, FAINT, LINE)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([light(one), light(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_stand_out_from_the_paper_in_light_and_dark():
    pairs = {name: (day, night) for name, day, night in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", CSS)}
    paper = ("#ffffff", pairs["paper"][1])
    for name in ("ink", "soft", "faint", "link", "bad"):
        assert all(contrast(colour, page) >= 4.5 for colour, page in zip(pairs[name], paper, strict=True)), name
    for name in [f"c{place}" for place in range(1, 9)]:
        assert all(contrast(colour, page) >= 3 for colour, page in zip(pairs[name], paper, strict=True)), name


def test_random_is_a_band_and_the_floor_a_hollow_mark(html):
    first = charts(html)[0]
    assert re.search(r'<g class="band" data-m="random-heads"', first)
    assert re.search(r'<g class="floor" data-m="michel-greedy"', first)
    assert not re.search(r'<g class="bars" data-m="random-heads"', first)


def test_a_natural_point_is_a_mark_outside_the_line(tmp_path):
    record = fixtures.cell("quick", "bert-pydocs", "michel-greedy")
    own = record.points[9].model_copy(update={"label": "penalty 0.01", "target": 0.31})
    cells = {("bert-pydocs", "michel-greedy"): record.model_copy(update={"points": [*record.points, own]})}
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", ["michel-greedy"], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    chart = charts((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))[0]
    assert chart.count('class="natural" data-m="michel-greedy"') == 1
    rows = fixtures.read_csv(tmp_path / "quick" / "curves.csv")
    assert "0.310000" not in {row["target"] for row in rows}
