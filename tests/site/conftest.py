"""The site of the made-up quick profile, built once, with plans, claims, checks and two settings in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tables"))  # the records are the ones that the tables are tested on

import fixtures
import made
import made_shapes

from headroom.results.collecting import collect
from headroom.site import build, shapes


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collected results of the quick profile."""
    found = tmp_path_factory.mktemp("site") / "results"
    cells = fixtures.records()
    cells = {key: made.recovered(cell) if key[0] == "mt-constructed" else cell for key, cell in cells.items()}
    cells = {key: made.agreeing(cell) if key[0] == "bert-pydocs" else cell for key, cell in cells.items()}
    folder = fixtures.write_profile(found, cells=cells)
    collect("quick", list(fixtures.METHODS), list(fixtures.MODELS), found)
    made.write_verdicts(folder)
    made.write_answers(folder)
    return found


@pytest.fixture(scope="session")
def site(results: Path) -> Path:
    """The built site, with that of the real shapes inside it."""
    build("quick", results, results / "site")
    shapes.build(made_shapes.write_shapes(results), results / "shapes", results / "site" / "shapes")
    return results / "site"


@pytest.fixture(scope="session")
def html(site: Path) -> str:
    """Its front page as text."""
    return (site / "index.html").read_text(encoding="utf-8")
