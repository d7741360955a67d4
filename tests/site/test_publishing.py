"""Several profiles: each site is complete by itself, and its head leads to the others."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import fixtures
import made_shapes
import pytest
from lxml import html as parser

from headroom.config import project
from headroom.errors import UserError
from headroom.results.collecting import collect
from headroom.site import publishing

METHODS = ["dense", "random-heads"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A project with two profiles, of which each has one model and two methods."""
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "methods").mkdir()
    (tmp_path / "profiles" / "real").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    other = params.replace("profile: quick", "profile: real").replace("results/quick", "results/real")
    other = re.sub(r"(?m)^about: .*$", "about: Real <models> & data.", other)
    other = other.replace("site: results/site", "site: results/real/site")
    (tmp_path / "profiles" / "real" / "params.yaml").write_text(other, encoding="utf-8")
    for profile in ("quick", "real"):
        cells = {("vit-digits", name): fixtures.cell(profile, "vit-digits", name) for name in METHODS}
        fixtures.write_profile(tmp_path / "results", profile, cells)
        collect(profile, METHODS, ["vit-digits"], tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    project.root.cache_clear()
    yield tmp_path
    project.root.cache_clear()


def switch(page: Path) -> list[tuple[str, str]]:
    """(profile, way) of the switch in a page's head."""
    found = parser.fromstring(page.read_text(encoding="utf-8"))
    return [(link.text, link.get("href")) for link in found.xpath("//details[@class='profiles']//a")]


def test_published_profiles_lead_to_each_other_from_every_page(world):
    assert publishing.publish(world / "out") == ["quick", "real"]
    for page in (world / "out").rglob("*.html"):
        (link,) = switch(page)
        assert (page.parent / link[1]).resolve() in {
            (world / "out" / "index.html").resolve(),
            (world / "out" / "real" / "index.html").resolve(),
        }
    assert switch(world / "out" / "index.html") == [("real", "real/index.html")]
    assert switch(world / "out" / "real" / "method" / "dense.html") == [("quick", "../../index.html")]


def test_pages_and_the_switch_say_in_one_line_what_a_profile_is_for(world):
    publishing.publish(world / "out")
    for page in (world / "out").glob("real/*.html"):
        found = parser.fromstring(page.read_text(encoding="utf-8"))
        assert found.xpath("string(//header/p[@class='about'])") == "Real <models> & data."
        assert found.xpath("string(//details[@class='profiles']/summary)") == "real profile"
    front = parser.fromstring((world / "out" / "index.html").read_text(encoding="utf-8"))
    other = front.xpath("//details[@class='profiles']//li[a[@href='real/index.html']]/span/text()")
    assert other == ["Real <models> & data."]


def test_a_profile_links_only_to_sites_that_are_built(world):
    publishing.build_own(Path("params.yaml"))
    assert switch(world / "results" / "site" / "index.html") == []
    publishing.build_own(Path("profiles/real/params.yaml"))
    assert switch(world / "results" / "real" / "site" / "index.html") == [("quick", "../../site/index.html")]


def test_the_real_shapes_are_published_with_the_profiles(world):
    folder = world / "profiles" / "shapes"
    folder.mkdir()
    shutil.copyfile(ROOT / "profiles" / "shapes" / "params.yaml", folder / "params.yaml")
    made_shapes.write_shapes(world / "results")
    assert publishing.publish(world / "out") == ["quick", "real", "shapes"]
    speed = parser.fromstring((world / "out" / "real" / "speed.html").read_text(encoding="utf-8"))
    assert speed.xpath("//p[@class='lead']/a/@href") == ["../shapes/index.html"]
    assert switch(world / "out" / "shapes" / "data.html") == [
        ("quick", "../index.html"),
        ("real", "../real/index.html"),
    ]


def test_one_broken_profile_breaks_only_itself(world):
    (world / "profiles" / "real" / "params.yaml").write_text("profile: [", encoding="utf-8")
    assert [one.name for one in publishing.every_profile()] == ["quick"]


def test_publishing_before_anything_ran_says_what_to_do(world):
    for table in world.glob("results/*/leaderboard.csv"):
        table.unlink()
    with pytest.raises(UserError, match="make repro"):
        publishing.publish(world / "out")


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_publishing_into_a_folder_with_others_files_leaves_them_alone(world):
    out = world / "out"
    for name in ("about.html", "data/mine.csv", "run/notes.txt", "cell/deep/er.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine", encoding="utf-8")
    publishing.publish(out)
    publishing.publish(out)
    assert all((out / name).read_text() == "mine" for name in ("about.html", "data/mine.csv", "run/notes.txt"))
    assert (out / "index.html").is_file() and (out / "cell" / "deep" / "er.txt").is_file()


def test_a_page_never_takes_the_place_of_a_file_of_somebody_else(world):
    out = world / "out"
    out.mkdir()
    (out / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"index\.html: is there already and no page of Headroom's"):
        publishing.publish(out)
    assert files_in(out) == {"index.html": b"mine"}, "nothing was written before the refusal"


def test_pages_that_are_no_more_go_with_the_next_build(world):
    publishing.build_own(Path("params.yaml"))
    site = world / "results" / "site"
    gone = site / "method" / "gone.html"
    gone.write_text("old", encoding="utf-8")
    manifest = site / "pages.txt"
    manifest.write_text(manifest.read_text() + "method/gone.html\n../../params.yaml\n/etc/hostname\n", encoding="utf-8")
    publishing.build_own(Path("params.yaml"))
    assert not gone.exists() and (world / "params.yaml").is_file(), "a manifest leads to no file outside its folder"
    assert "method/gone.html" not in manifest.read_text()


def test_changes_come_from_the_commits_that_moved_the_leaderboard(world):
    import subprocess

    from headroom.site.changes import history

    def git(*words: str) -> None:
        name = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *name, *words], cwd=world, check=True, capture_output=True)

    table = world / "results" / "quick" / "leaderboard.csv"
    git("init", "-q")
    git("add", "results")
    git("commit", "-qm", "First <results>")
    area = next(row["area"] for row in fixtures.read_csv(table) if row["area"])
    table.write_text(table.read_text(encoding="utf-8").replace(area, "0.900000"), encoding="utf-8")
    git("commit", "-qam", "A better <b>idea</b>")
    (world / "results" / "quick" / "other.txt").write_text("x", encoding="utf-8")
    git("add", "results")
    git("commit", "-qm", "Nothing of the table")
    found = history(world / "results" / "quick")
    assert [change.subject for change in found] == ["A better <b>idea</b>", "First <results>"]
    assert found[0].moves[0].after == 0.9 and found[0].moves[0].before == float(area)
    publishing.build_own(Path("params.yaml"))
    page = (world / "results" / "site" / "changes.html").read_text(encoding="utf-8")
    feed = (world / "results" / "site" / "feed.xml").read_text(encoding="utf-8")
    assert "A better &lt;b&gt;idea&lt;/b&gt;" in page and "A better &lt;b&gt;idea&lt;/b&gt;" in feed
    assert len(re.findall("<entry>", feed)) == 2
    regions = re.findall(r'role="region" aria-label="([^"]+)"', page)
    assert len(set(regions)) == 2 == len(regions), "a screen reader lists regions by name"
    parser.fromstring(feed.encode(), parser=parser.etree.XMLParser())


def test_agreement_is_no_move_of_the_same_row_by_the_metric_of_its_task():
    """A table from before agreement was measured has no column for it."""
    from headroom.site.changes import _rows, moved

    before = "model,task,setting,method,area\nbert,nli,as is,random,0.5\n"
    after = (
        "model,task,setting,quality,method,area\nbert,nli,as is,task,random,0.5\nbert,nli,as is,agreement,random,0.9\n"
    )
    moves = moved(_rows(before), _rows(after))
    assert [(move.quality, move.before, move.after) for move in moves] == [("agreement", None, 0.9)]
