"""What a model says: its answers to a few examples, cut, escaped, and pictures from the profile alone."""

from __future__ import annotations

from types import SimpleNamespace

import made
import pytest
from test_page import find, tree, words

from headroom.site.saying import told


def test_each_model_shows_its_answers_dense_and_with_more_and_more_gone(site):
    page = tree(site, "says.html")
    section = page.get_element_by_id("said-mt-constructed-pair")
    first, second = find(section, "article.said")
    assert "das haus" in words(first) and "wantedthe house" in words(first) and "densethe house" in words(first)
    rows = [[words(cell) for cell in row] for row in find(first, "tbody", "tr")]
    assert rows == [
        ["Michel et al., greedyas is", "as dense", "michel-greedy <i>0.5</i>", "michel-greedy <i>0.75</i>"],
        ["Random headsas is", *(f"random-heads <i>{share}</i>" for share in (0.25, 0.5, 0.75))],
    ]
    given = words(find(second, "p")[0])
    assert given.startswith("<b>laut</b> und") and given.endswith("\N{HORIZONTAL ELLIPSIS}") and len(given) < 330


def test_a_picture_lies_beside_the_page_and_says_what_it_is(site):
    (image,) = find(tree(site, "says.html"), "img")
    assert image.get("alt") == "Picture of example 1"
    assert (site / image.get("src")).read_bytes() == made.PICTURE


def test_the_front_page_and_the_page_of_a_model_lead_to_what_it_says(site):
    assert "says.html#said-mt-constructed-pair" in {link.get("href") for link in find(tree(site), "article", "a")}
    cell = tree(site, "cell/vit-digits/digits.html")
    assert "../../says.html#said-vit-digits-digits" in {link.get("href") for link in find(cell, ".jump", "a")}
    other = tree(site, "cell/bert-pydocs/package.html")
    assert not [link for link in find(other, ".jump", "a") if "says.html" in link.get("href")], "nobody asked it"


@pytest.mark.parametrize(
    "path", ["../secret.png", "answers/../../secret.png", "answers/no.png", "answers/text.png", ""]
)
def test_no_picture_comes_from_elsewhere_and_none_that_is_no_png(tmp_path, path):
    folder = tmp_path / "real"
    (folder / "answers").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(made.PICTURE)
    (folder / "answers" / "text.png").write_text("<svg onload=alert(1)>", encoding="utf-8")
    row = {"model": "m", "task": "t", "setting": "as is", "group": "", "method": "dense", "title": "", "target": 0.0}
    row |= {"seed": 0, "example": 0, "given": "", "wanted": "7", "said": "7", "image": path}
    (found,) = told([SimpleNamespace(**row)], folder, tmp_path / "site")
    assert found.examples[0].image == "" and not (tmp_path / "site").exists()
