"""What a reader meets first: the papers by model, the two qualities apart, what can go and what is sure of it."""

from __future__ import annotations

import re

import fixtures
import pytest
from jinja2 import Environment, PackageLoader
from test_page import find, pages, tree, words

from headroom.results.collecting import collect
from headroom.results.write import read_table
from headroom.site import build, claiming
from headroom.site.numbers import DASH, FILTERS


def test_the_claims_page_leads_with_a_table_of_papers_by_model(site):
    page = tree(site, "claims.html")
    table = find(page, "table.verdicts")[0]
    heads = [words(one) for one in find(table, "thead", "th")]
    assert heads == ["Paper", "bert-pydocs", "vit-digits", "mt-constructed"]
    rows = {
        words(find(row, "th", "a")[0]): [words(cell) for cell in find(row, "td")] for row in find(table, "tbody", "tr")
    }
    assert rows["Michel, Levy and Neubig 2019"] == ["\N{CHECK MARK}M1 holds", "", ""]
    assert rows["He et al. 2024, LLM-Drop"] == ["", "\N{MULTIPLICATION X}L2 does not hold?L6 undecided", ""]
    assert rows["Voita et al. 2019"] == ["", "", "1 not testable"]
    places = [one.get("href")[1:] for one in find(table, "a.sign")]
    assert [words(find(page.get_element_by_id(place), "b")[0]) for place in places] == ["M1", "L2", "L6"]
    assert page.xpath("//table")[0] is table, "nothing stands before it"


def test_marks_of_a_model_stand_in_the_order_of_the_verdicts():
    row = {"source": "arXiv:1", "prediction": "It holds.", "model": "a", "task": "t"}
    verdicts = ["undecided", claiming.UNTESTED, "does not hold", "holds"]
    (paper,) = claiming.papers([row | {"id": f"M{n}", "verdict": verdict} for n, verdict in enumerate(verdicts)])
    assert [mark.claim for mark in paper.tested("a")] == ["M3", "M2", "M0"] and paper.untested("a") == 1
    assert paper.tested("b") == [] and paper.untested("b") == 0


PAGES_OF_BOTH = ["index.html", "compare.html", "cell/bert-pydocs/package.html", "method/michel-greedy.html"]


@pytest.mark.parametrize("page", PAGES_OF_BOTH)
def test_the_two_qualities_have_pages_of_their_own_and_a_switch_between_them(site, page):
    twin = page.replace(".html", ".agreement.html")
    for own in (page, twin):
        links = find(tree(site, own), "p.switch", "a")
        assert [(site / own).parent / link.get("href") for link in links] != [] and len(links) == 2
        assert [((site / own).parent / link.get("href")).resolve() for link in links] == [site / page, site / twin]
        assert [link.get("aria-current") for link in links].index("page") == (own == twin)
    assert "arXiv:2407.09141" in words(tree(site, twin)) and "arXiv:2407.09141" not in words(tree(site, page))


def test_a_board_of_agreement_holds_its_own_rows_with_flips_and_bits(site, results):
    rows = read_table(results / "quick", "leaderboard")
    areas = {
        quality: next(
            f"{row.area:.3f}"
            for row in rows
            if (row.model, row.method, row.quality) == ("bert-pydocs", "michel-greedy", quality)
        )
        for quality in ("task", "agreement")
    }
    assert areas["task"] != areas["agreement"]
    own = find(tree(site, "cell/bert-pydocs/package.html"), ".board", "tr[@data-m='michel-greedy']")
    other = find(tree(site, "cell/bert-pydocs/package.agreement.html"), ".board", "tr[@data-m='michel-greedy']")
    assert len(own) == len(other) == 1, "one row in each"
    assert areas["task"] in words(own[0]) and "bits" not in words(own[0])
    assert areas["agreement"] in words(other[0]) and re.search(r"[0-9.]+ % ?[0-9.]+ bits", words(other[0]))
    page = words(tree(site, "cell/bert-pydocs/package.agreement.html"))
    assert "Agreement kept" in page and "Quality kept" not in page and "Flips, KL" in page


def test_a_reader_of_agreement_stays_with_it(site):
    page = tree(site, "index.agreement.html")
    inner = {link.get("href") for link in find(page, "main", "a") + find(page, "nav", "a")}
    assert {"compare.agreement.html", "cell/bert-pydocs/package.agreement.html"} <= inner
    assert not {one for one in inner if one.startswith("cell/") and not one.endswith(".agreement.html")}


def test_without_rows_of_agreement_the_pages_are_as_they_were(tmp_path):
    cells = {("vit-digits", name): fixtures.cell("quick", "vit-digits", name) for name in ("dense", "random-heads")}
    folder = fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", ["dense", "random-heads"], ["vit-digits"], tmp_path)
    for table in ("leaderboard", "quality", "curves", "pairs"):  # as they were written before there was a second one
        lines = fixtures.read_csv(folder / f"{table}.csv")
        heads = [name for name in (lines[0] if lines else {"model": ""}) if name != "quality"]
        if lines:
            text = [",".join(heads), *(",".join(f'"{line[name]}"' for name in heads) for line in lines)]
            (folder / f"{table}.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    build("quick", tmp_path, tmp_path / "site")
    assert not [page for page in pages(tmp_path / "site") if "agreement" in page]
    assert not find(tree(tmp_path / "site"), "p.switch")


def test_every_board_says_what_it_could_have_seen(site):
    said = words(find(tree(site, "cell/bert-pydocs/package.html"), "p.under")[0])
    assert re.search(r"The smallest difference that two rows here could have shown: 0\.0\d\d of area", said)


@pytest.mark.parametrize(
    ("removable", "certifiable", "measured", "seeds", "said"),
    [
        (0.125, True, 0.25, 1, "25.0 12.5 % certified"),
        (0.0, False, 0.25, 1, "25.0 too few examples to certify"),
        (0.0, False, 0.25, 3, "25.0 too few examples or seeds to certify"),
        (0.0, False, 0.0, 1, "? too few examples to say"),
        (0.0, True, 0.0, 1, "0.0 nothing certified"),
        (0.125, None, None, 1, "12.5"),  # of an older table
    ],
)
def test_what_can_go_has_two_figures_and_no_zero_for_want_of_examples(removable, certifiable, measured, seeds, said):
    environment = Environment(loader=PackageLoader("headroom.site", package_path=""), autoescape=True)
    environment.filters.update(FILTERS, drawn=str)
    go = environment.get_template("templates/parts.html").module.go
    row = {"removable_1": removable, "certifiable_1": certifiable, "measured_1": measured, "speedup_1": None}
    row["seeds"] = seeds
    assert " ".join(re.sub("<[^>]*>", " ", go(row, "1")).split()) == said


def test_the_order_over_all_models_says_places_duels_weights_and_where_a_method_is_missing(site):
    page = tree(site, "overall.html")
    section = page.get_element_by_id("order-as-is-attention")
    rows = [[words(cell) for cell in row] for row in find(section, "table.ordered", "tbody", "tr")]
    assert rows[0] == [
        *("1", "Layer similarity forward, attention", "0.710", "0.584 to 0.851"),
        *(DASH, "19", "2", "3", "5/5", ""),
    ]
    assert rows[-1][:3] == [DASH, "Michel et al., greedy gradient, head", DASH]
    assert rows[-1][-2:] == ["4/5", "vit-digits/digits"]
    assert len(find(section, "tr.partial")) == 1 and len(find(section, "label.only", "input")) == 1
    assert "Models weigh the same, and so do the tasks of a model" in words(page)
    table = [[words(cell) for cell in row] for row in find(section, ".duels", "tbody", "tr")]
    assert [row[0] for row in table[:2]] == ["Layer similarity", "Deepest first"]
    assert table[0][2] == f"4{DASH}1{DASH}0" == table[1][1][::-1]
    one_model = words(page.get_element_by_id("order-recovered-attention"))
    assert "One model: the intervals say nothing of other models." in one_model
    front = tree(site)
    assert "overall.html" in {link.get("href") for link in find(front, "section.whole", "a")}
    assert "Over all 5 models and tasks together, as is, Layer similarity is first: 0.710" in words(front)


def test_results_without_an_order_have_no_page_of_it(tmp_path):
    cells = {("vit-digits", name): fixtures.cell("quick", "vit-digits", name) for name in ("dense", "random-heads")}
    folder = fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", ["dense", "random-heads"], ["vit-digits"], tmp_path)
    for name in ("overall", "duels"):
        (folder / f"{name}.csv").unlink()
    build("quick", tmp_path, tmp_path / "site")
    assert not (tmp_path / "site" / "overall.html").exists()
    assert "Overall" not in words(find(tree(tmp_path / "site"), "nav")[0])


def test_the_page_of_a_record_has_flips_and_bits_beside_each_score(site):
    points = "section[@aria-labelledby='points-title']"
    (heads,) = find(tree(site, "run/bert-pydocs/michel-greedy.html"), points, "thead")
    assert "Kept, %KL, bitsFlips, %Plan" in words(heads)
    widths = {len(row) for row in find(heads.getparent(), "tbody", "tr")}
    assert widths == {len(heads[0])}
    (other,) = find(tree(site, "run/vit-digits/layer-similarity.html"), points)
    assert "KL" not in words(other)
