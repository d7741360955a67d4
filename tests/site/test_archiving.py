"""A board that was published stays: its tables and a plain page, linked from the page of changes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import fixtures
import pytest

from headroom.results.collecting import collect
from headroom.site import build
from headroom.site.archiving import TABLE, Board, earlier

METHODS, MODEL = ["dense", "random-heads"], "vit-digits"
DAY = re.compile(r"archive/(\d{4}-\d\d-\d\d(?:-\d)?)/index\.html")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collected results of one model and two methods."""
    results = tmp_path_factory.mktemp("archive")
    fixtures.write_profile(results, cells={(MODEL, name): fixtures.cell("quick", MODEL, name) for name in METHODS})
    collect("quick", METHODS, [MODEL], results)
    return results


@pytest.fixture
def table(first: Path):
    """The leaderboard of these results, which tests change; as it was at the end."""
    path = first / "quick" / TABLE
    before = path.read_text(encoding="utf-8")
    yield path
    path.write_text(before, encoding="utf-8")


def changed(table: Path, title: str, before: str = "Random heads") -> None:
    text = table.read_text(encoding="utf-8")
    assert before in text
    table.write_text(text.replace(before, title), encoding="utf-8")


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def linked(site: Path) -> list[str]:
    return DAY.findall((site / "changes.html").read_text(encoding="utf-8"))


def test_a_board_with_other_tables_stays_in_the_archive_and_one_with_the_same_leaves_no_trace(first, table, tmp_path):
    site = tmp_path / "site"
    build("quick", first, site)
    build("quick", first, site)
    assert linked(site) == [] and not (site / "archive").exists()
    old = (site / "data" / TABLE).read_bytes()
    changed(table, "<i>Another</i>")
    build("quick", first, site)
    (day,) = linked(site)
    assert (site / "archive" / day / TABLE).read_bytes() == old != (site / "data" / TABLE).read_bytes()
    page = (site / "archive" / day / "index.html").read_text(encoding="utf-8")
    assert "Random heads" in page and f'href="{TABLE}"' in page and 'href="../../index.html"' in page
    once = files_in(site)
    build("quick", first, site)
    assert files_in(site) == once, "the archive goes along with every build, byte by byte"
    changed(table, "Third", "<i>Another</i>")
    build("quick", first, site)
    assert linked(site) == [f"{day}-2", day], "a day with two boards has both, the last one first"
    assert "&lt;i&gt;Another" in (site / "archive" / f"{day}-2" / "index.html").read_text(encoding="utf-8")


def test_publishing_elsewhere_takes_along_what_the_profiles_own_site_has_kept(first, table, tmp_path):
    own, out = tmp_path / "own", tmp_path / "out"
    build("quick", first, own)
    changed(table, "Another")
    build("quick", first, own)
    build("quick", first, out, sites=[own])
    build("quick", first, out, sites=[own])
    assert linked(out) == linked(own) and len(linked(out)) == 1


def test_in_git_only_a_board_that_was_committed_is_kept(first, table, tmp_path):
    def git(*words: str) -> None:
        name = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        when = {"GIT_COMMITTER_DATE": "2026-03-04T05:06:07Z", "PATH": "/usr/bin:/bin"}
        subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, env=when)

    git("init", "-q")
    site = tmp_path / "site"
    build("quick", first, site)
    changed(table, "Another")
    build("quick", first, site)
    assert linked(site) == [], "nobody had seen the first one"
    git("add", "site")
    git("commit", "-qm", "A board")
    for before, title in (("Another", "Third"), ("Third", "Fourth")):
        changed(table, title, before)
        build("quick", first, site)
        assert linked(site) == ["2026-03-04"], "and nobody the third"


def test_a_table_of_an_older_headroom_and_files_of_others_do_no_harm(first, tmp_path):
    site = tmp_path / "site"
    (site / "data").mkdir(parents=True)
    (site / "data" / TABLE).write_text("mine\n", encoding="utf-8")
    (site / "archive" / "2020-01-01").mkdir(parents=True)
    (site / "archive" / "2020-01-01" / TABLE).write_text("mine\n", encoding="utf-8")
    assert earlier([site, tmp_path / "nowhere"], first / "quick") == [], "no manifest lists them"
    old = Board("2020-01-01", {TABLE: b"model,method,area\nm,a,0.5\n"})
    assert old.rows == {("m", "", "", "task"): [{"model": "m", "method": "a", "area": "0.5"}]}
