"""What DVC runs again, and what it leaves alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from headroom.measure.machine import machine
from headroom.pipeline import engine
from headroom.results.records import Ceilings, write

REPOSITORY = Path(__file__).parents[2]
DVC_FILE = REPOSITORY / "dvc.yaml"
PROFILES = ("encoder", "real", "smoke")  # `shapes` times layers without a model, in a pipeline of its own
STAGES = ["machine", "prepare", "measure", "time", "collect", "claims", "site"]
AFTER = {"collect", "claims", "site"}


@pytest.fixture
def pipeline(world):
    """The project of the other tests with the repository's dvc.yaml: one model, two methods, everything run once."""
    for name in ("headroom", "tasks"):
        shutil.copytree(REPOSITORY / name, world.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(REPOSITORY / name, world.folder / name)
    shutil.rmtree(world.folder / "work")
    world.change("steps: 60", "steps: 20")
    world.change("methods:\n", "recover: {}\nmethods:\n")
    world.use("random-heads")
    here, known = machine(1), Ceilings(macs_per_second=1.0, bytes_per_second=4.0)  # they take seconds to measure
    here = here.model_copy(update={"ceilings": {"float32": known, "bfloat16": known}})
    write(world.folder / "results/test/machines" / f"{here.fingerprint}.json", here)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True)
    ran = repro(world)
    assert ran == {"machine", "prepare@bert-toy", "measure@bert-toy", "time@bert-toy", *AFTER}
    return world


def repro(world, *words: str) -> set[str]:
    """``dvc repro``; the names of the stages that ran, or would have run with ``--dry``."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", *words]
    done = subprocess.run(command, cwd=world.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"Running stage '([^']+)'", done.stdout))


def test_only_what_changed_runs_again(pipeline):
    """One test for the whole story, because each run of DVC costs seconds. Dry runs show the first stage that would."""
    assert (pipeline.folder / "results/test/site/index.html").is_file()
    assert repro(pipeline) == {"machine"}, "a second run does nothing but look at the machine"

    template = next((pipeline.folder / "headroom" / "site").rglob("*.html*"))
    template.write_text(template.read_text() + "\n")
    assert repro(pipeline, "--dry") == {"machine", "site"}, "a changed template builds the site only"

    pipeline.change("batch: 2, length: 8", "batch: 1, length: 8")
    assert repro(pipeline, "--dry") == {"machine", "time@bert-toy", "site"}, "another workload is timed, and no more"

    pipeline.method("my-idea", "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))")
    ran = repro(pipeline)
    assert ran == {"machine", "measure@bert-toy", "time@bert-toy", *AFTER}, "a new method prepares no model again"
    assert "my-idea" in (pipeline.folder / "results/test/quality.csv").read_text()
    assert (pipeline.folder / "results/test/quality/bert-toy/my-idea.json").is_file()

    pipeline.change("  my-idea: {}\n", "")
    ran = repro(pipeline)
    assert "measure@bert-toy" in ran and "prepare@bert-toy" not in ran
    assert "my-idea" not in (pipeline.folder / "results/test/quality.csv").read_text(), "a method that is gone"
    assert not list((pipeline.folder / "results/test").glob("quality/*/my-idea.json")), "leaves no row and no record"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_stages_of_every_profile_are_one_text(profile):
    text = DVC_FILE.read_text()
    params = f"profiles/{profile}/params.yaml"
    text = text.replace("wdir: .\n", "wdir: ../..\n")
    text = re.sub(r"(--params |- )params\.yaml", rf"\1{params}", text)
    head, metrics, tail = text.partition("\nmetrics:\n")
    text = head + metrics + tail.replace("- ${results}", "- ../../${results}")
    assert (REPOSITORY / "profiles" / profile / "dvc.yaml").read_text() == text


def test_every_profile_says_what_its_stages_depend_on(stages):
    """DVC stops at a key that is not there, whatever its default is."""
    named = {key for stage in stages.values() for one in stage.get("params", ()) for key in one["params.yaml"]}
    for folder in (REPOSITORY, *(REPOSITORY / "profiles" / name for name in PROFILES)):
        params = yaml.safe_load((folder / "params.yaml").read_text())
        missing = {key for key in named if "${" not in key and not reached(params, key)}
        assert not missing, folder


def reached(params, key: str) -> bool:
    """Whether a key such as ``run.threads`` is there."""
    for name in key.split("."):
        if name not in params:
            return False
        params = params[name]
    return True


def test_every_profile_has_its_own_folders():
    files = [REPOSITORY / "params.yaml", *REPOSITORY.glob("profiles/*/params.yaml")]
    assert {file.parent.name for file in files} >= set(PROFILES)
    params = [yaml.safe_load(file.read_text()) for file in files]
    for folder in ("profile", "results", "work", "site"):
        names = [one[folder] for one in params if folder in one]
        assert len(names) == len(set(names)), f"two profiles have one {folder}"


@pytest.fixture(scope="module")
def stages():
    """The stages as they are written, by name: what they depend on, without what other stages make."""
    written = yaml.safe_load(DVC_FILE.read_text())["stages"]
    assert list(written) == STAGES
    return {name: stage.get("do", stage) for name, stage in written.items()}


@pytest.mark.parametrize(
    ("stage", "named"), [("measure", engine.MEASURED), ("prepare", engine.PREPARED), ("time", engine.TIMED)]
)
def test_a_stage_depends_on_every_file_that_its_answers_are_kept_under(stages, stage, named):
    """Else DVC would skip a stage whose journal asks for new answers."""
    deps = [Path(dep) for dep in stages[stage]["deps"]]
    missing = [name for name in named if not any(Path(name).is_relative_to(dep) for dep in deps)]
    assert not missing
    assert all((REPOSITORY / name).exists() for name in (*named, *engine.DECLARED))


def test_what_a_stage_depends_on_is_there_or_made_by_another(stages):
    made = {str(out if isinstance(out, str) else next(iter(out))) for stage in stages.values() for out in stage["outs"]}
    for name, stage in stages.items():
        for dep in stage.get("deps", ()):
            known = any(out == dep or out.startswith(f"{dep}/") for out in made) or (REPOSITORY / dep).exists()
            assert known, f"{name} depends on {dep}"


def test_no_stage_depends_on_bytecode_or_on_the_journal():
    ignored = (REPOSITORY / ".dvcignore").read_text().split()
    assert "__pycache__" in ignored and "work/*/journal" in ignored
