"""What DVC runs again, and what it leaves alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def pipeline(world):
    """The project of the other tests as a DVC project: one model, two methods, everything run once."""
    for name in ("headroom", "tasks"):
        shutil.copytree(REPOSITORY / name, world.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (world.folder / ".dvcignore").write_text("__pycache__\n*.pyc\n")
    shutil.rmtree(world.folder / "work")
    world.change("steps: 60", "steps: 20")
    world.use("random-heads")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True)
    repro(world)
    return world


def repro(world) -> set[str]:
    """``headroom sync`` and ``dvc repro``; the names of the stages that ran."""
    world.run("sync")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"], cwd=world.folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"Running stage '([^']+)'", done.stdout))


def test_only_what_changed_runs_again(pipeline):
    """One test for the whole story, because each run of DVC costs seconds."""
    assert (pipeline.folder / "results/test/site/index.html").is_file()
    quality = (pipeline.folder / "results/test/quality.csv").read_bytes()
    assert repro(pipeline) == {"machine"}, "a second run does nothing but look at the machine"

    pipeline.method("my-idea", "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))")
    ran = repro(pipeline)
    cells = {"quality@my-idea,bert-toy", "speed@my-idea,bert-toy"}
    assert cells <= ran <= cells | {"machine", "collect", "claims", "site"}, "a new method runs its own cells"

    file = pipeline.folder / "methods" / "my_idea.py"
    file.write_text(file.read_text() + "\n# a second thought\n")
    assert {name for name in repro(pipeline) if "@" in name} == cells, "an edited method likewise"

    template = next((pipeline.folder / "headroom" / "site").rglob("*.html*"))
    template.write_text(template.read_text() + "\n")
    assert repro(pipeline) == {"machine", "site"}, "a changed template builds the site only"

    pipeline.change("  my-idea: {}\n", "")
    repro(pipeline)
    assert (pipeline.folder / "results/test/quality.csv").read_bytes() == quality, "a method that is gone leaves no row"


def test_every_dvc_file_is_what_its_params_say():
    done = subprocess.run(
        [sys.executable, "-c", "from headroom.cli import main; main()", "sync", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_no_stage_depends_on_bytecode():
    assert "__pycache__" in (REPOSITORY / ".dvcignore").read_text()
