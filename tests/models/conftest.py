"""``headroom prune`` in this process, without the minutes that a measurement takes where nobody looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from model_folders import save_folder

from headroom.cli import main
from headroom.terminal.printing import PlainConsole


class Said(NamedTuple):
    """What came of a command."""

    code: int
    said: str  # as one line
    out: Path


@pytest.fixture
def unmeasured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is timed, and nothing is remembered."""
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: None)
    if not os.environ.get("HEADROOM_CACHE", "").startswith(str(tmp_path)):  # a test may have made one
        monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A model folder of a family, whole, for the test to spoil."""
    return lambda family, name="model": save_folder(family, tmp_path / name)


@pytest.fixture
def prune(
    tmp_path: Path, unmeasured: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """``headroom prune`` with half of the heads to go."""

    number = count(1)
    monkeypatch.setenv("COLUMNS", "250")  # a row of the table is a line
    monkeypatch.setattr("headroom.cli.out", PlainConsole())  # the one that is there has the width of its first import

    def call(model: Path | str, task: str | None = None, **options: object) -> Said:
        out = Path(str(options.pop("out", tmp_path / f"smaller-{next(number)}")))
        given = {"model": model, "method": "magnitude-heads", "target": 0.5, "out": out, "threads": 1}
        given |= {"format": "headroom"} | options  # the other forms have tests of their own
        words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        monkeypatch.setattr("sys.argv", ["headroom", "prune", *words, *(["--task", task] if task else [])])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(str(ended.value.code)), " ".join((said.out + said.err).split()), out)

    return call


@pytest.fixture
def refused(prune: Callable[..., Said], tmp_path: Path) -> Callable[..., str]:
    """What is said of a model that has to be refused before anything is written."""

    def call(model: Path | str, task: str | None = None, **options: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        code, said, _ = prune(model, task, **options)
        assert code == 2 and "Traceback" not in said, said
        assert sorted(tmp_path.rglob("*")) == before, "something was written"
        return said

    return call
