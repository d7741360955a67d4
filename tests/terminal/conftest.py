"""A small profile with results, from which the commands read."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tables"))

import fixtures

from headroom import cli
from headroom.config.project import root
from headroom.results.collecting import collect

METHODS = ["dense", "random-heads", "magnitude-heads", "michel-greedy", "layer-similarity", "layer-similarity-mlp"]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("terminal")
    cells = {(model, m): fixtures.cell("quick", model, m) for model in ("bert-pydocs", "lm-pydocs") for m in METHODS}
    cells["lm-pydocs", "magnitude-heads"] = fixtures.refused(
        cells["lm-pydocs", "magnitude-heads"], "failed", "[bold]No.[/]"
    )
    fixtures.write_profile(found, cells=cells)
    collect("quick", METHODS, ["bert-pydocs", "lm-pydocs"], found)
    return found


@pytest.fixture
def methods() -> list[str]:
    """Names of the methods that have results."""
    return METHODS


@pytest.fixture
def project(results, tmp_path, monkeypatch) -> Path:
    """A folder from which the commands read these results."""
    params = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params.replace("results: results/quick", "results: quick"), encoding="utf-8")
    (tmp_path / "methods").mkdir()
    (tmp_path / "quick").symlink_to(results / "quick")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def whole(results, tmp_path, monkeypatch) -> Iterator[Path]:
    """A project of its own, with methods and results that a test may damage."""
    here, folder = Path(__file__).parents[2], tmp_path / "project"
    shutil.copytree(here / "methods", folder / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(here / "params.yaml", folder)
    shutil.copytree(results / "quick", folder / "results" / "quick")
    monkeypatch.chdir(folder)
    root.cache_clear()
    yield folder
    root.cache_clear()


@dataclass(frozen=True)
class Said:
    """What a command answered. A bug of ours raises instead, and fails the test."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The refusal: one line on standard error, whatever was printed before."""
        assert self.code and self.err.count("\n") == 1 and self.err.endswith(".\n"), self
        return self.err


@pytest.fixture
def headroom(monkeypatch) -> Callable[..., Said]:
    """``headroom WORDS`` in this process, by the entry point of the command line."""

    def call(*words: str, encoding: str = "utf-8", out: io.TextIOWrapper | None = None) -> Said:
        printed, err = io.BytesIO(), io.StringIO()
        stream = out or io.TextIOWrapper(
            printed, encoding, errors="strict"
        )  # kept: it closes what it wraps when it goes
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", ["headroom", *words])
            patch.setattr("sys.stdout", stream)
            patch.setattr("sys.stderr", err)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = printed.getvalue().decode("utf-8" if encoding == "ascii" else encoding)  # the former holds the latter
        return Said(ended.value.code or 0, said, err.getvalue())

    return call
