"""Real shapes have one page: what they gain, how near that is to the ideal, and what papers said."""

from __future__ import annotations

import json

import made_shapes
import pytest
from lxml import html as parser

from headroom.errors import UserError
from headroom.site import shapes


@pytest.fixture(scope="module")
def page(site):
    return parser.fromstring((site / "shapes" / "index.html").read_text(encoding="utf-8"))


def section(page, title: str):
    (found,) = page.xpath(f"//section[@aria-labelledby='{title}']")
    return found


def test_every_timing_counts_towards_the_share_of_the_ideal(page):
    words = " ".join(section(page, "near-title").text_content().split())
    record = made_shapes.timed("head")
    ratios = sorted(point.speedup / point.ideal for point in record.points if point.bound == "compute")
    assert f"{ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} timings" in words


def test_a_published_speed_up_stands_beside_ours_and_one_that_was_not_timed_says_so(page):
    rows = section(page, "theirs-title").xpath(".//tbody/tr")
    verdicts = [row.xpath("string(td[last()])") for row in rows]
    assert len(rows) == len(made_shapes.SIZES) + 1
    assert verdicts.count("not timed") == 1
    assert "<b>Someone</b> 2019" in rows[0].text_content()


def test_lengths_make_a_chart_of_their_own_and_grains_lead_to_no_page_of_a_method(page):
    assert page.xpath("//figure[@data-chart='speed-bert-base-encode-float32']")
    assert not [link for link in page.xpath("//a/@href") if link.startswith("method/")]


def test_what_was_not_timed_is_named_with_its_reason(page):
    assert made_shapes.ELSEWHERE in section(page, "untimed-title").text_content()


def test_no_link_of_the_site_is_dead(site):
    folder = site / "shapes"
    for path in folder.glob("*.html"):
        for link in parser.fromstring(path.read_text(encoding="utf-8")).xpath("//*/@href"):
            assert link.startswith("#") or (path.parent / link.partition("#")[0]).exists(), f"{path.name}: {link}"


def test_its_data_are_its_own_two_tables_with_their_dictionary(site):
    content = json.loads((site / "shapes" / "data" / "published.json").read_text(encoding="utf-8"))
    row = dict(zip(content["columns"], content["rows"][-1], strict=True))
    assert row["published"] == 1.2 and row["speedup"] is None
    text = (site / "shapes" / "data" / "index.html").read_text(encoding="utf-8")
    assert 'id="table-published"' in text and 'id="table-leaderboard"' not in text


def test_pages_before_the_tables_say_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"throughput\.csv does not exist"):
        shapes.build(made_shapes.params(tmp_path), tmp_path / "shapes", tmp_path / "site")
