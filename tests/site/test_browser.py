"""In a real browser, where there is one: the hash is the state, filters hide, headings sort, the policy lets it run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import html as parser

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")


@pytest.fixture(scope="module")
def shown(site: Path, tmp_path_factory: pytest.TempPathFactory):
    """The page after its script ran on a hash with every selector in it."""
    profile = tmp_path_factory.mktemp("browser")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    url = f"{(site / 'index.html').as_uri()}#model=lm-pydocs&track=forward&units=attention&sort=lost50.up&theme=dark"
    command = [BROWSER, *options, f"--user-data-dir={profile}", "--virtual-time-budget=2000", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return parser.fromstring(done.stdout)


def visible(tree, path: str) -> list:
    return [part for part in tree.xpath(path) if not part.xpath("ancestor-or-self::*[@hidden]")]


def test_the_hash_chooses_model_track_and_units(shown):
    assert {part.get("data-model") for part in visible(shown, "//section[@data-model]")} == {"lm-pydocs"}
    assert {row.get("data-track") for row in visible(shown, "//tr[@data-track]")} == {"forward"}
    assert {part.get("data-units") for part in visible(shown, "//figure")} == {"attention"}
    assert shown.xpath("string(//output)") == "10 of 45 rows"


def test_rows_are_sorted_and_the_heading_says_so(shown):
    body = visible(shown, "//table[@class='board']/tbody")[0]
    lost = [float(row.xpath("string(td[4])").split()[0]) for row in visible(body, ".//tr[@data-m]")]
    assert lost == sorted(lost) and len(lost) == 5
    assert shown.xpath("//th[@data-sort='lost50']/@aria-sort")[0] == "ascending"


def test_the_theme_of_the_hash_wins(shown):
    assert shown.get("data-theme") == "dark"
    assert shown.get_element_by_id("theme").text_content() == "Light"
