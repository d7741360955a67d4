"""What a reader meets first: the papers by model in one table."""

from __future__ import annotations

from headroom.site import claiming
from test_page import find, tree, words


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
