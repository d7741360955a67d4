"""The site answers first, hides nothing, asks nothing of the network and stays small."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import fixtures
import made
import pytest
from lxml import html as parser

from headroom.errors import UserError
from headroom.results.collecting import collect
from headroom.results.leaderboard import LEAST_OWN
from headroom.results.rows import AnswerRow
from headroom.results.write import read_table, write_table
from headroom.site import build, claiming, comparing, running, telling, templating
from headroom.site.answers import answer
from headroom.site.numbers import MINUS

PAGES = ["index", "compare", "speed", "claims", "data", "methodology", "contribute", "changes"]
TURNED = "\u202e\x1b\x07"  # what reverses the text behind it, and what a terminal obeys
EVIL = f"""</script><script>alert(1)</script><img src=x onerror="alert(1)">'"&$x_2${{{{7*7}}}}]]>{TURNED}"""


def tree(site: Path, page: str = "index.html"):
    return parser.fromstring((site / page).read_text(encoding="utf-8"))


def pages(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def find(element, *steps: str) -> list:
    """Descendants by steps such as ``tr``, ``.board`` or ``tr[@data-m]``; a dot names a class."""
    path = "."
    for step in steps:
        tag, dot, name = step.partition(".")
        path += f"//{tag or '*'}" + (f"[contains(concat(' ', @class, ' '), ' {name} ')]" if dot else "")
    return element.xpath(path)


def words(element) -> str:
    return " ".join(element.text_content().split())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """Collected results of one model and three methods."""
    results = tmp_path_factory.mktemp("tiny")
    methods = ["dense", "random-heads", "michel-greedy"]
    cells = {("vit-digits", name): fixtures.cell("quick", "vit-digits", name) for name in methods}
    fixtures.write_profile(results, cells=cells)
    collect("quick", methods, ["vit-digits"], results)
    return results


def test_two_builds_write_the_same_bytes(tiny, tmp_path):
    build("quick", tiny, tmp_path / "one")
    build("quick", tiny, tmp_path / "two")
    for path in sorted((tmp_path / "one").rglob("*.*")):
        assert (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes(), path.name


def test_every_kind_of_page_is_there(site):
    found = [page for page in pages(site) if not page.endswith(".agreement.html")]
    assert {f"{name}.html" for name in PAGES} <= set(found) and (site / "feed.xml").is_file()
    assert sum(page.startswith("cell/") for page in found) == 5
    assert sum(page.startswith("method/") for page in found) == len(fixtures.METHODS)
    assert sum(page.startswith("run/") for page in found) == len(fixtures.METHODS) * len(fixtures.MODELS)


def test_every_model_has_its_answer_first(site):
    answers = [words(part) for part in find(tree(site), ".answers", "article")]
    assert len(answers) == 5  # one for each task of each model
    assert "Michel et al., greedy keeps most quality" in answers[0]
    assert "above the middle of the random draws" in answers[0] and "the dense speed" in answers[0]


def test_cell_pages_hold_both_groups_and_the_reasons_of_what_is_missing(site):
    cell = tree(site, "cell/mt-constructed/pair.html")
    titles = [words(part) for part in find(cell, "h2")]
    assert any(title.startswith("Attention units") for title in titles)
    assert any(title.startswith("Other units") for title in titles)
    assert "Blocks of an encoder-decoder are out of reach." in words(cell)
    assert "This model does not test decoder.self" in words(cell)
    assert "RuntimeError: the loss is NaN at calibration batch 3." in words(tree(site, "cell/vit-digits/digits.html"))


def test_under_a_recovered_table_stands_what_fine_tuning_leaves_of_the_dense_model(site):
    said = words(tree(site, "cell/mt-constructed/pair.html"))
    assert said.count("which itself keeps 100.0 % of what it had") == said.count("Ranked: ") // 2 > 0
    assert "itself keeps" not in words(tree(site, "cell/lm-pydocs/cloze.html"))


def test_the_page_of_a_record_draws_every_pair_that_was_timed(site):
    timed = next(page for page in sorted(site.glob("run/**/*.html")) if 'class="strip"' in page.read_text())
    first = timed.read_text().split('class="strip"')[1].split("</svg>")[0]
    assert first.count('r="1.4"') == 15
    places = [float(place) for place in re.findall(r'cx="([0-9.-]+)"', first)]
    assert all(0 <= place <= running.WIDTH for place in places) and max(places) - min(places) > 10, "apart, and on it"


def test_the_page_of_a_record_says_what_its_model_was_fed(site):
    page = (site / "run/lm-pydocs/michel-greedy.html").read_text(encoding="utf-8")
    assert "Input of " in page and "start: <bdi>&#39;&lt;s&gt;&#39; before each text</bdi>" in page


def test_one_click_from_the_front_are_the_heads_kept_the_command_and_the_word_on_random(site):
    front = tree(site)
    row = next(part for part in find(front, ".matrix", "tr") if "Michel et al., greedy" in words(part))
    link = next(part.get("href") for part in find(row, "td", "a") if "mt-constructed" in part.get("href"))
    run = tree(site, link)
    shown = [words(part) for part in find(run, "*[@id='kept']", ".count")]
    assert "75.0 % asked, 60 gone" in shown, "a map of what is kept with three quarters asked"
    lists = {words(part[0]): words(part[1]) for part in find(run, "*[@id='kept']", "tbody", "tr")}
    listed = [one for where in lists["75.0"].split("; ") for one in where.partition(": ")[2].split(", ")]
    assert len(listed) == 20, "the other quarter of the 80 units, by number"
    assert words(run.get_element_by_id("command")).startswith("headroom quality")
    answers = words(find(front, "section.answers")[0])
    assert "random draws" in answers or "random choice" in answers


def test_the_claims_stand_once_each_with_every_result_and_every_reason(site):
    claims = find(tree(site, "claims.html"), "article.claim")
    assert [words(find(one, "b")[0]) for one in claims] == ["M1", "L2", "L6", "V5"]
    assert "holds 0.040 0.010 to 0.090" in words(claims[0])
    assert "does not hold 0.410 0.300 to 0.520 Shallow layers went first." in words(claims[1])
    assert f"undecided 0.80 {MINUS}0.40 to 2.10" in words(claims[2])
    assert "Not testable on any model here: Nothing was trained from scratch." in words(claims[3])


def test_the_verdicts_are_counted_and_undecided_is_explained(site):
    page = tree(site, "claims.html")
    counts = {words(find(one, "dt")[0]): words(find(one, "dd")[0]) for one in find(page, "dl.big", "div")}
    assert list(counts) == ["holds", "does not hold", "undecided", "not testable here"] and {*counts.values()} == {"1"}
    assert "undecided where that interval holds its threshold" in words(page)
    looks = [one.get("class").split()[-1] for one in find(page, ".results", ".verdict")]
    assert looks == ["yes", "no", "open"]


def test_a_claim_on_several_models_is_said_once_and_a_shared_reason_too():
    row = {
        "id": "M2",
        "source": "arXiv:1",
        "prediction": "It holds. Figure: a share.",
        "task": "",
        "low": "",
        "high": "",
    }
    gone = row | {"verdict": claiming.UNTESTED, "reason": "No cross-attention.", "figure": ""}
    rows = [row | {"model": "a", "verdict": "holds", "reason": "", "figure": "12.3456"}]
    rows += [gone | {"model": name} for name in ("b", "c")]
    (paper,) = claiming.papers(rows)
    (claim,) = paper.claims
    assert (claim.says, claim.figure, len(claim.tested)) == ("It holds.", "a share.", 1)
    assert claim.untested == [("No cross-attention.", ["b", "c"])] and not claim.nowhere
    assert claiming.figures(rows[0]) == ["12.3", "", ""] and claiming.figures({"figure": "<b>"}) == ["<b>", "", ""]


def test_units_of_another_kind_have_a_first_place_of_their_own(site):
    rows = [words(part) for part in find(tree(site), ".matrix", "tr")[1:]]
    heads = [place for place, row in enumerate(rows) if row in ("Attention units", "Other units")]
    assert [rows[place] for place in heads] == ["Attention units", "Other units"]
    assert any("Layer similarity, MLP" in row for row in rows[heads[1] :]) and "Random" in " ".join(rows[: heads[1]])


def test_the_page_on_method_states_the_rules_that_the_tables_follow(site):
    said = words(tree(site, "methodology.html"))
    assert f"at least {LEAST_OWN} of its own shares lie strictly between dense and floor" in said
    assert "one seed at least has a point at every step" in said and "interval reaches chance nothing is ranked" in said


def test_without_scripts_every_panel_table_and_map_is_on_a_page(site):
    cell = tree(site, "cell/bert-pydocs/package.html")
    assert len(find(cell, "svg.chart")) == 3  # two groups and the speeds
    assert len(find(cell, "details.numbers")) == 2 and len(find(cell, "fieldset", "input")) == 8
    assert not [part for part in find(cell, "main", "*[@hidden]") if part.tag in ("section", "tr", "figure", "tbody")]
    front = tree(site)
    assert len(find(front, "p.without", "a")) == 5  # a way to every cell
    assert front.get_element_by_id("controls").get("hidden") is not None  # appears with the script that serves it


def test_compare_has_the_two_best_where_nothing_is_random():
    def row(method: str, area: float, random: str = ""):
        return SimpleNamespace(
            method=method, area=area, ranked=True, stochastic="random" in method, random_method=random
        )

    def opened(*rows):
        panel = SimpleNamespace(setting="as is", group="attention", rows=rows)
        views = [SimpleNamespace(quality="task", panels=[panel])]
        return comparing.opening(SimpleNamespace(overall=[]), views)

    assert opened(row("a", 0.5), row("b", 0.7), row("c", 0.6)) == ["b", "c"]
    assert opened(row("a", 0.5, "random-heads"), row("random-heads", 0.7)) == ["a", "random-heads"]
    assert opened() == []


def test_every_link_and_every_label_resolves(site):
    for page in pages(site):
        found = tree(site, page)
        ids = [part.get("id") for part in find(found, "*[@id]")]
        assert len(ids) == len(set(ids)), (page, [one for one in ids if ids.count(one) > 1])
        for link in {part.get("href") for part in find(found, "*[@href]")}:
            path, _, anchor = link.partition("#")
            target = (site / page).parent / unquote(path) if path else site / page
            assert target.is_file(), (page, link)
            if anchor and path.endswith(".html"):
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), (page, link)
            elif anchor:
                assert anchor in ids, (page, link)
        for part in find(found, "*[@aria-labelledby]"):
            assert part.get("aria-labelledby") in ids, (page, part.get("aria-labelledby"))


def test_downloads_carry_their_checksum(site):
    data = tree(site, "data/index.html")
    rows = [link.getparent().getparent() for link in find(data, "a[@download]")]
    assert len(rows) > 15
    for row in rows:
        path = find(row, "a")[0].get("href")
        assert hashlib.sha256((site / "data" / path).read_bytes()).hexdigest() in words(row)
        assert words(find(row, "td")[0]).endswith("."), f"{path}: what it is"


def test_every_board_is_a_file_at_a_fixed_address(site):
    whole = fixtures.read_csv(site / "data" / "leaderboard.csv")
    for name, setting, quality in (("as-is", "as is", "task"), ("as-is-agreement", "as is", "agreement")):
        rows = fixtures.read_csv(site / "data" / "bert-pydocs" / "package" / f"{name}.csv")
        where = {"model": "bert-pydocs", "task": "package", "setting": setting, "quality": quality}
        assert rows == [row for row in whole if row.items() >= where.items()] and rows, name
    links = {part.get("href") for part in find(tree(site, "data/index.html"), "a[@download]")}
    boards = {(row["model"], row["task"], row["setting"], row["quality"]) for row in whole if row["task"]}
    assert sum(link.count("/") > 2 for link in links) == len(boards)


def test_llms_txt_names_every_page_and_table_with_a_sentence(site):
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# Headroom, quick profile\n\n> How much of a transformer's attention")
    lines = re.findall(r"^- \[(.+)\]\((.+?)\): (.+\.)$", text, re.MULTILINE)
    assert len(lines) == text.count("\n- ") and all((site / path).is_file() for _, path, _ in lines)
    linked = {path for _, path, _ in lines}
    shown = {page for page, _ in templating.NAV if (site / page).is_file()}
    assert shown <= linked and {"data/leaderboard.csv", "data/dictionary.md"} <= linked
    assert {page for page, _ in templating.NAV} == set(telling.SAYS), "a sentence for every page"


def test_json_holds_the_numbers_of_the_csv(site):
    import csv
    import json

    content = json.loads((site / "data" / "leaderboard.json").read_text(encoding="utf-8"))
    with (site / "data" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    area = content["columns"].index("area")
    assert [row[area] for row in content["rows"]] == [float(row["area"]) if row["area"] else None for row in rows]


def test_no_request_leaves_any_page(site):
    for page in pages(site):
        source = (site / page).read_text(encoding="utf-8")
        found = parser.fromstring(source)
        policy = find(found, "meta[@http-equiv='Content-Security-Policy']")[0].get("content")
        assert policy.startswith("default-src 'none'; script-src 'self' file:; style-src 'self' file:")
        assert not re.search(r"unsafe-eval|script-src[^;]*unsafe|https?:", policy)
        assert page == "says.html" or not find(found, "img"), "pictures stand where a model was asked for them"
        assert not find(found, "*[self::iframe or self::object or self::embed or @srcset]")
        for part in find(found, "*[@src]") + find(found, "link"):
            assert (site / page).parent.joinpath(part.get("src") or part.get("href")).is_file(), page
        assert not [part for part in find(found, "*[@href]") if re.match(r"\w+:", part.get("href"))]
        assert not re.search(r"\son\w+\s*=", re.sub(r">[^<]*<", "><", source)), page
    for script in (site / "assets").iterdir():
        assert not re.search(r"https?://|@import|fetch\(|XMLHttp|eval\(", script.read_text(encoding="utf-8")), (
            script.name
        )


def weight(folder: Path, methods: int, models: int) -> tuple[int, int]:
    """Bytes of the front page, and of what it loads with it."""
    collect("quick", *made.write_many(folder, methods, models), folder)
    build("quick", folder, folder / "site")
    assets = sum(path.stat().st_size for path in (folder / "site" / "assets").iterdir())
    return (folder / "site" / "index.html").stat().st_size, assets


@pytest.mark.slow
def test_the_front_page_stays_light_with_forty_methods(tmp_path):
    page, assets = weight(tmp_path, 40, 1)
    assert page + assets < 220_000


@pytest.mark.slow
def test_the_front_page_weighs_less_than_300_kb_with_forty_methods_and_ten_models(tmp_path):
    page, assets = weight(tmp_path, 40, 10)
    assert page + assets < 300_000


def hostile(record):
    """The record with the same nasty string wherever a record that is believed can have one."""
    facts = next(iter(record.tasks.values())).model_copy(
        update={"metric": EVIL, "unit": EVIL, "signature": EVIL, "data_hash": EVIL, "contract": {EVIL: EVIL}}
    )
    source = record.provenance.model_copy(
        update={"command": EVIL, "commit": EVIL, "versions": {EVIL: EVIL}, "weight_hash": EVIL, "date": EVIL}
    )
    points = [
        point.model_copy(
            update={"note": EVIL, "label": f"floor:{EVIL}" if point.label else "",
                    "tasks": {EVIL: next(iter(point.tasks.values()))}}
        )
        for point in record.points
    ]  # fmt: skip
    return record.model_copy(
        update={"title": EVIL, "paper": EVIL, "family": EVIL, "file": EVIL, "summary": EVIL,
                "parameters": {EVIL: EVIL}, "tasks": {EVIL: facts}, "provenance": source, "points": points}
    )  # fmt: skip


def test_hostile_records_render_inert_on_every_page(tmp_path):
    cells = {}
    for method in ("dense", "random-heads", "michel-greedy", "layer-similarity"):
        record = fixtures.cell("quick", "bert-pydocs", method)
        cells["bert-pydocs", method] = hostile(record)
    last = "bert-pydocs", "layer-similarity"
    cells[last] = fixtures.refused(cells[last], "failed", EVIL)
    folder = fixtures.write_profile(tmp_path, cells=cells)
    machine = folder / "machines" / f"{fixtures.MACHINE}.json"
    facts = fixtures.Machine.model_validate_json(machine.read_text())
    fixtures.write(machine, facts.model_copy(update={"processor": EVIL, "system": EVIL, "python": EVIL, "torch": EVIL}))
    collect("quick", [method for _, method in cells], ["bert-pydocs"], tmp_path)
    quoted = '"' + EVIL.replace('"', '""') + '"'
    for name, columns in (("claims", made.CLAIMS), ("checks", made.CHECKS)):
        header = columns.splitlines()[0]
        row = ",".join([quoted] * len(header.split(",")))
        (folder / f"{name}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    texts = dict.fromkeys(("model", "task", "setting", "method", "title", "given", "wanted", "said", "image"), EVIL)
    write_table(folder, "answers", [AnswerRow(target=0.5, seed=0, example=0, **texts)])
    build("quick", tmp_path, tmp_path / "site")
    seen = 0
    for page in pages(tmp_path / "site"):
        source = (tmp_path / "site" / page).read_text(encoding="utf-8")
        found = parser.fromstring(source)
        assert not find(found, "*[self::img or @onerror]"), page
        assert all(part.get("src") or part.get("type") == "application/json" for part in find(found, "script")), page
        assert not set(TURNED) & set(source), page
        assert "<script>alert" not in source and "49" not in re.findall(r"\$x_2\$(\w+)", source), page
        seen += words(found).count("alert(1)")
    assert seen > 60
    for script in (tmp_path / "site" / "boards").iterdir():
        assert not set(TURNED) & set(script.read_text(encoding="utf-8"))
        assert "<script>alert" not in script.read_text(encoding="utf-8")
    for drawing in (tmp_path / "site" / "figures").glob("*.svg"):
        assert "<script" not in drawing.read_text(encoding="utf-8")


def test_words_in_another_direction_stay_among_themselves(tmp_path):
    """Hebrew in a title or a reason must not move the numbers and words that stand beside it."""
    hebrew = "\u05e9\u05dc\u05d5\u05dd"
    cells = {("bert-pydocs", name): fixtures.cell("quick", "bert-pydocs", name) for name in ("dense", "michel-greedy")}
    titled = cells["bert-pydocs", "michel-greedy"].model_copy(update={"title": hebrew})
    cells["bert-pydocs", "michel-greedy"] = titled
    cells["bert-pydocs", "layer-similarity"] = fixtures.refused(titled, "failed", f"{hebrew} 0.5")
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", [method for _, method in cells], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    apart = 0
    for page in pages(tmp_path / "site"):
        found = parser.fromstring((tmp_path / "site" / page).read_text(encoding="utf-8"))
        apart += sum(hebrew in words(one) for one in find(found, "bdi"))
    assert apart > 10


def test_names_that_are_no_identifiers_stay_apart_inert_and_inside_the_site(tmp_path):
    names = ["dense", "random-heads", 'odd"><b>name', "odd--b-name"]
    record = fixtures.cell("quick", "bert-pydocs", "magnitude-heads")
    cells = {("bert-pydocs", name): record.model_copy(update={"title": name, "method": name}) for name in names[2:]}
    cells |= {("bert-pydocs", name): fixtures.cell("quick", "bert-pydocs", name) for name in names[:2]}
    fixtures.write_profile(tmp_path, cells=cells)
    collect("quick", names, ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    found = tree(tmp_path / "site")
    assert len({row.get("data-m") for row in find(found, ".board", "tr[@data-m]")}) == 3
    assert 'odd"><b>name' in words(found) and not find(found, "th", "b")
    assert len(list((tmp_path / "site" / "method").iterdir())) == 4


def test_the_answer_admits_ties_and_losing_to_random(results):
    rows = [row for row in read_table(results / "quick", "leaderboard") if row.model == "bert-pydocs"]
    found = answer("bert-pydocs", "package", rows)
    assert "cannot be told apart" in found.verdict
    losing = [row.model_copy(update={"above_random_middle": False, "above_random_targets": 2}) for row in rows]
    assert "not above the middle" in answer("bert-pydocs", "package", losing).random
    assert answer("bert-pydocs", "package", []).best is None
    few = [row.model_copy(update={"rank_all": 1 if row.stochastic else 2, "seeds": 2}) for row in rows]
    assert "” (2 draws)" in answer("bert-pydocs", "package", few).verdict, "so few are soon told from nothing"


def test_a_profile_in_which_nothing_has_run_still_has_its_pages(tmp_path):
    collect("quick", ["dense", "random-heads"], ["bert-pydocs"], tmp_path)
    build("quick", tmp_path, tmp_path / "site")
    assert "No record was found" in words(tree(tmp_path / "site"))
    assert "Nothing was timed" in words(tree(tmp_path / "site", "speed.html"))
    assert "claims.csv is not there" in words(tree(tmp_path / "site", "claims.html"))


def test_building_before_collecting_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="dvc repro collect"):
        build("quick", tmp_path, tmp_path / "site")


def test_a_second_build_leaves_no_page_of_the_first(tiny, tmp_path):
    build("quick", tiny, tmp_path / "site")
    left = tmp_path / "site" / "method" / "no-longer-there.html"
    left.write_text("old", encoding="utf-8")
    with (tmp_path / "site" / "pages.txt").open("a", encoding="utf-8") as manifest:
        manifest.write("method/no-longer-there.html\n")
    kept = tmp_path / "site" / "CNAME"
    kept.write_text("example.org", encoding="utf-8")
    build("quick", tiny, tmp_path / "site")
    assert not left.exists() and kept.exists()


def test_the_site_builds_without_torch_transformers_or_pandas(tiny, tmp_path):
    code = (
        "import sys; from pathlib import Path; from headroom.site import build;"
        "build('quick', Path(sys.argv[1]), Path(sys.argv[2]));"
        "sys.exit(str([name for name in ('torch', 'transformers', 'datasets', 'pandas') if name in sys.modules] or ''))"
    )
    command = [sys.executable, "-c", code, str(tiny), str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.stderr.strip() == "", done.stderr


def test_missing_numbers_are_dashes_and_never_zeros(site):
    cell = tree(site, "cell/bert-pydocs/package.html")
    row = next(row for row in find(cell, ".board", "tr[@data-m]") if "Layer similarity, MLP" in words(row))
    assert re.search(r"\N{EN DASH}", words(row))
