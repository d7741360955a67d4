"""The page answers first, hides nothing, asks nothing of the network and stays small."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import fixtures
import pytest
from lxml import html as parser

from headroom.errors import UserError
from headroom.site import build
from headroom.site.answers import answer
from headroom.tables import collect, read_table


@pytest.fixture(scope="module")
def tree(html):
    return parser.fromstring(html)


def find(element, *steps: str) -> list:
    """Descendants by steps such as ``tr``, ``.board`` or ``tr[@data-m]``; a dot names a class."""
    path = "."
    for step in steps:
        tag, dot, name = step.partition(".")
        path += f"//{tag or '*'}" + (f"[contains(concat(' ', @class, ' '), ' {name} ')]" if dot else "")
    return element.xpath(path)


def words(element) -> str:
    return " ".join(element.text_content().split())


def test_two_builds_write_the_same_bytes(results, site, tmp_path):
    build("quick", results, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (site / "index.html").read_bytes()


def test_every_model_has_its_answer_first(tree):
    answers = [words(part) for part in find(tree, ".answers", "article")]
    assert len(answers) == 5  # one for each task of each model
    assert "Michel et al., greedy keeps most quality" in answers[0]
    assert "above the middle of the random draws" in answers[0] and "the dense speed" in answers[0]


def test_ranked_rows_of_both_groups_and_the_reasons_of_the_others_are_on_the_page(tree):
    board = find(tree, ".model", ".board")[0]
    groups = [words(part) for part in find(board, ".group")]
    assert groups[0].startswith("Attention units") and groups[1].startswith("Other units")
    assert "Blocks of an encoder-decoder are out of reach." in words(board)
    assert "RuntimeError: the loss is NaN at calibration batch 3." in words(tree)
    assert "This model does not test decoder.self" in words(tree)
    assert "noisy" in [words(mark) for mark in find(tree, "td", "em")]


def test_the_page_is_complete_without_scripts(tree):
    assert len(find(tree, "svg.chart")) == len(find(tree, "figure", "details", "table")) == 10
    assert not [part for part in find(tree, "main", "*[@hidden]") if part.tag in ("section", "tr", "figure", "tbody")]
    assert (
        tree.get_element_by_id("controls").get("hidden") is not None
    )  # selectors appear with the script that serves them


def test_every_link_and_every_label_resolves(tree, site):
    ids = [part.get("id") for part in find(tree, "*[@id]")]
    assert len(ids) == len(set(ids))
    for link in [part.get("href") for part in find(tree, "*[@href]")]:
        target = link.removeprefix("#")
        assert target in ids if link.startswith("#") else (site / link).is_file(), link
    for part in find(tree, "*[@aria-labelledby]"):
        assert part.get("aria-labelledby") in ids
    assert len(find(tree, "a[@download]")) == 12


def test_downloads_carry_their_checksum(tree, site):
    for row in [link.getparent().getparent() for link in find(tree, "a[@download]")]:
        path = find(row, "a")[0].get("href")
        assert hashlib.sha256((site / path).read_bytes()).hexdigest() in words(row)


def test_no_request_leaves_the_page(tree, html):
    policy = find(tree, "meta[@http-equiv='Content-Security-Policy']")[0].get("content")
    assert policy.startswith("default-src 'none'")
    assert not find(
        tree, "*[self::link or self::img or self::iframe or self::object or self::embed or @src or @srcset]"
    )
    assert "http" not in "".join(part.text_content() for part in find(tree, "*[self::style or self::script]"))
    assert "url(http" not in html and "@import" not in html and 'href="http' not in html
    script = find(tree, "script")[0].text_content().encode()
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" in policy


def test_the_page_stays_under_its_weight_with_twelve_methods_and_four_models(tmp_path):
    more = {name: fixtures.METHODS["magnitude-heads"] for name in ("voita-l0", "voting-to-stay")}
    cells = fixtures.records()
    for model in fixtures.MODELS:
        for name in more:
            cells[model, name] = cells[model, "magnitude-heads"].model_copy(update={"method": name, "title": name})
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", [*fixtures.METHODS, *more], list(fixtures.MODELS), tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").stat().st_size < 300_000


def test_hostile_records_render_inert(tmp_path):
    evil = """</script><script>alert(1)</script><img src=x onerror="alert(1)">'"&$x_2$"""
    cells = {}
    for method in ("dense", "random-heads", "michel-greedy", "layer-similarity"):
        record = fixtures.cell("quick", "bert-pydocs", method)
        facts = record.tasks["package"].model_copy(
            update={"metric": evil, "unit": evil, "signature": evil, "data_hash": evil}
        )
        source = record.provenance.model_copy(
            update={"command": evil, "commit": evil, "versions": {evil: evil}, "weight_hash": evil}
        )
        points = [
            point.model_copy(
                update={"note": evil, "plan_hash": evil, "label": f"floor:{evil}" if point.label else "",
                        "tasks": {evil: point.tasks["package"]}}
            )
            for point in record.points
        ]  # fmt: skip
        cells["bert-pydocs", method] = record.model_copy(
            update={"title": evil, "paper": evil, "track": evil, "family": evil, "file": evil, "summary": evil,
                    "tasks": {evil: facts}, "provenance": source, "points": points}
        )  # fmt: skip
    last = "bert-pydocs", "layer-similarity"
    cells[last] = fixtures.refused(cells[last], "failed", evil)
    folder = fixtures.write_profile(tmp_path, cells=cells)
    machine = folder / "machines" / f"{fixtures.MACHINE}.json"
    facts = fixtures.Machine.model_validate_json(machine.read_text())
    fixtures.write(machine, facts.model_copy(update={"processor": evil, "system": evil, "python": evil, "torch": evil}))
    collect("quick", [method for _, method in cells], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    tree = parser.fromstring(page)
    assert len(find(tree, "script")) == 1 and not find(tree, "*[self::img or @onerror]")
    assert "<script>alert" not in page and words(tree).count("alert(1)") > 10


def test_names_that_are_no_identifiers_stay_apart_and_inert(tmp_path):
    names = ["dense", "random-heads", 'odd"><b>name', "odd--b-name"]
    record = fixtures.cell("quick", "bert-pydocs", "magnitude-heads")
    cells = {("bert-pydocs", name): record.model_copy(update={"title": name}) for name in names[2:]}
    cells |= {("bert-pydocs", name): fixtures.cell("quick", "bert-pydocs", name) for name in names[:2]}
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", names, ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    tree = parser.fromstring((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert len({row.get("data-m") for row in find(tree, ".board", "tr[@data-m]")}) == 3
    assert 'odd"><b>name' in words(tree) and not find(tree, "th", "b")


def test_the_answer_admits_ties_and_losing_to_random(results):
    rows = [row for row in read_table(results / "quick", "leaderboard") if row.model == "bert-pydocs"]
    found = answer("bert-pydocs", "package", rows)
    assert "cannot be told apart" in found.verdict
    losing = [row.model_copy(update={"above_random_middle": False, "above_random_targets": 2}) for row in rows]
    assert "not above the middle" in answer("bert-pydocs", "package", losing).random
    assert "nothing is ranked" in answer("bert-pydocs", "package", []).verdict


def test_a_profile_in_which_nothing_has_run_still_has_a_page(tmp_path):
    collect("quick", ["dense", "random-heads"], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    assert "No record was found" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_building_before_collecting_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="dvc repro collect"):
        build("quick", tmp_path, tmp_path / "site")


def test_the_site_builds_without_torch_or_transformers(results, tmp_path):
    code = (
        "import sys; from pathlib import Path; from headroom.site import build;"
        "build('quick', Path(sys.argv[1]), Path(sys.argv[2]));"
        "sys.exit(str([name for name in ('torch', 'transformers', 'datasets', 'pandas') if name in sys.modules] or ''))"
    )
    command = [sys.executable, "-c", code, str(results), str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.stderr.strip() == "", done.stderr


def test_missing_numbers_are_dashes_and_never_zeros(tree):
    row = next(row for row in find(tree, ".board", "tr[@data-m]") if "Layer similarity, MLP" in words(row))
    assert re.search(r"\N{EN DASH}", words(row))
