"""One profile of made-up records, written and collected once for all tests that only read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fixtures
import pytest

from headroom.results.collecting import collect


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a collected quick profile."""
    results = tmp_path_factory.mktemp("tables") / "results"
    found = fixtures.write_profile(results)
    collect("quick", list(fixtures.METHODS), list(fixtures.MODELS), results)
    return found


@pytest.fixture(scope="session")
def table(folder: Path) -> Callable[[str], list[dict[str, str]]]:
    """Rows of a table as text."""
    return lambda name: fixtures.read_csv(folder / f"{name}.csv")


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., tuple[Path, Callable[[], None]]]:
    """Write changed records of one model; returns the profile's folder and what collects it again."""

    def make(model: str, methods: list[str], **changed) -> tuple[Path, Callable[[], None]]:
        cells = {(model, method): changed.get(method) or fixtures.cell("quick", model, method) for method in methods}
        found = fixtures.write_profile(tmp_path / "results", cells=cells)
        return found, lambda: collect("quick", methods, [model], tmp_path / "results")

    return make
