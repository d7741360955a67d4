"""The examples of docs/prune.md are commands that are understood, and the options that it names are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from headroom.cli import app
from headroom.config.registry import method_files
from headroom.config.tasks import load_task
from headroom.pruning.budgets import budget_of

PAGE = (Path(__file__).parents[2] / "docs/prune.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PRUNE = typer.main.get_command(app).commands["prune"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_example_is_understood(line):
    words = shlex.split(line)
    assert words[:2] == ["headroom", "prune"]
    given = PRUNE.make_context("prune", words[2:]).params
    names = ("max_loss", "min_speed", "max_parameters", "max_memory", "max_kv", "target", "confidence")
    budget_of(*(given[name] for name in names))
    assert given["method"] in {"auto", *method_files()}
    assert given["task"] is None or load_task(given["task"])


def test_every_option_on_the_page_is_there():
    known = {name for option in PRUNE.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known
