"""A method looks the same in every chart, in light and dark, and no two methods of the table look alike."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import fixtures
import numpy as np

import headroom.site
from headroom.results.collecting import collect
from headroom.site import build
from headroom.site.book import read_book
from headroom.site.charts import CurveChart, paper
from headroom.site.names import slug
from headroom.site.panels import cell_view
from headroom.site.ratios import ratios
from headroom.site.series import front
from headroom.site.styles import COLOURS, FAINT, INK, LINE, LOOKS, look

STATIC = Path(headroom.site.__file__).parent / "static"
CSS = (STATIC / "site.css").read_text(encoding="utf-8")


def charts(html: str) -> list[str]:
    return re.findall(r'<svg class="chart[^"]*".*?</svg>', html, re.DOTALL)


def pages(site: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))]


def test_a_method_has_one_colour_in_all_charts_of_all_pages(site):
    colours = defaultdict(set)
    for page in pages(site):
        for chart in charts(page):
            for colour, method in re.findall(r'class="s (c\d)" data-m="([\w-]+)"', chart):
                colours[method].add(colour)
    colours.pop("published", None)
    drawn = {method: found for method, found in colours.items() if not method.startswith("ours")}
    assert set(drawn) == {*fixtures.METHODS, "head", "attention"} - {"dense"}  # real shapes have grains
    assert drawn == {method: {f"c{look(method).colour + 1}"} for method in drawn}


def test_a_method_keeps_its_look_whoever_else_is_there():
    assert look("never-heard-of") == look("never-heard-of")
    assert look("michel-greedy").value == COLOURS[0]


def test_no_two_methods_of_the_table_look_alike():
    looks = [style for method, style in LOOKS.items() if not method.startswith("random") and method != "dense"]
    assert len({(style.colour, style.marker) for style in looks}) == len(looks) > 30


def test_every_series_has_an_id_and_no_colour_of_its_own(site):
    for page in pages(site):
        for chart in charts(page):
            name = re.search(r'id="([\w-]+)"', chart)[1]
            assert all(one.startswith(f"{name}--") for one in re.findall(r'<g id="([\w-]+)" class="s', chart))
            assert not re.search(r"#[0-9a-fA-F]{6}\b|style=", chart)


def test_the_style_sheet_and_the_charts_agree_on_the_light_colours():
    named = dict(re.findall(r"--(\w+): light-dark\((#\w+)", CSS))
    assert [named[f"c{place}"] for place in range(1, 9)] == list(COLOURS)
    assert (named["ink"], named["line"]) == (INK, LINE) and FAINT


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([light(one), light(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_stand_out_from_paper_and_wash_in_light_and_dark():
    pairs = {name: (day, night) for name, day, night in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", CSS)}
    for ground in ("paper", "wash"):
        for name in ("ink", "soft", "faint", "link", "bad", "good"):
            assert all(contrast(a, b) >= 4.5 for a, b in zip(pairs[name], pairs[ground], strict=True)), (name, ground)
    for name in [f"c{place}" for place in range(1, 9)]:
        assert all(contrast(a, b) >= 3 for a, b in zip(pairs[name], pairs["paper"], strict=True)), name


def test_random_is_a_band_and_the_floor_a_hollow_mark(html):
    first = charts(html)[0]
    random = re.search(r'data-m="random-heads">(.*?)</g>', first)[1]
    assert 'class="band"' in random and 'class="bars"' not in random
    assert re.search(r'data-m="michel-greedy">.*?<use class="hollow"', first)


def test_a_point_outside_the_series_is_a_mark_off_the_line(tmp_path):
    record = fixtures.cell("quick", "bert-pydocs", "michel-greedy")
    own = record.points[9].model_copy(update={"label": "penalty 0.01", "target": 0.31})
    cells = {("bert-pydocs", "michel-greedy"): record.model_copy(update={"points": [*record.points, own]})}
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", ["michel-greedy"], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    chart = charts((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))[0]
    assert chart.count('class="hollow"') == 2  # the floor and the point
    assert "0.310000" not in {row["target"] for row in fixtures.read_csv(tmp_path / "quick" / "curves.csv")}


def test_a_chart_can_be_taken_as_svg_pdf_and_png(site):
    figures = sorted(path.name for path in (site / "figures").iterdir())
    names = {name.rpartition(".")[0] for name in figures}
    assert {f"{name}.{kind}" for name in names for kind in ("svg", "pdf", "png")} == set(figures) and len(names) > 12
    assert (site / "figures" / "bert-pydocs-package-as-is-attention.png").read_bytes().startswith(b"\x89PNG")
    assert (site / "figures" / "bert-pydocs-package-as-is-attention.pdf").read_bytes().startswith(b"%PDF")


def test_the_front_holds_what_nothing_beats_in_both():
    points = [(1.0, 1.0, "dense"), (1.2, 0.9, "a"), (1.1, 0.8, "b"), (1.3, 0.5, "c"), (1.25, 0.4, "d")]
    assert [name for _, _, name in front(points)] == ["dense", "a", "c"]


def test_two_names_never_share_a_slug():
    names = ["a-b", "a--b", "A-b", "a b", 'a"b', "../a-b", "a/b", ""]
    assert len({slug(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", slug(name)) for name in names)


def test_nothing_is_drawn_below_the_axes_however_wide_an_interval_is(site, results):
    book = read_book("quick", results)
    panel = next(p for model, task in book.cells for p in cell_view(book, model, task).panels if p.series)
    one = next(series for series in panel.series.values() if not series.stochastic)
    wide = replace(one, stops=[replace(stop, low=-3.0, high=4.0) for stop in one.stops])
    figure = CurveChart("wide", "", panel.axis, "", (wide,)).draw()
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    heights = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    assert low == 0 <= np.nanmin(heights) and np.nanmax(heights) <= high


def test_ratios_on_an_axis_have_as_many_digits_as_their_neighbours():
    _, axes = paper()
    axes.set_xlim(0.97, 2.3)
    ratios(axes.xaxis)
    said = [label.get_text() for label in axes.get_xticklabels()]
    assert (
        3 <= len(said) <= 8
        and len({len(one) for one in said}) == 1
        and all(one.endswith("\N{MULTIPLICATION SIGN}") for one in said)
    )
