"""What DVC runs again, and what it leaves alone."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from headroom.pipeline import engine

REPOSITORY = Path(__file__).parents[2]
DVC_FILE = REPOSITORY / "dvc.yaml"
# `shapes` times layers without a model, in a pipeline of its own
PROFILES = ("encoder", "paper", "paper-mini", "real", "smoke")
STAGES = ["machine", "prepare", "measure", "time", "collect", "claims", "site"]
AFTER = {"collect", "claims", "site"}


STAND_IN = """#!{python} -S
import hashlib, pathlib, re, sys
stage, model = sys.argv[2], sys.argv[-1]
text = pathlib.Path("dvc.yaml").read_text()
mine = text.partition("\\n  " + stage + ":")[2].partition("\\n\\n")[0]
for name, value in dict(key=model, results="results/test", work="work/test", site="results/test/site").items():
    mine = mine.replace("${{" + name + "}}", value)
deps, outs = ([line.split()[1].strip(":") for line in part.splitlines() if line.startswith(" ") and "- " in line]
              for part in (mine.partition("deps:")[2].partition("params:")[0], mine.partition("outs:")[2]))
digest = hashlib.sha256()
for dep in deps:
    path = pathlib.Path(dep)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        digest.update(file.read_bytes() if file.is_file() else b"")
digest.update(pathlib.Path("local").read_bytes() if stage == "machine" else pathlib.Path("params.yaml").read_bytes())
for out in outs:
    path = pathlib.Path(out)
    path = path if path.suffix else path / ("bert-toy.json" if path.name == "inputs" else "of")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(digest.hexdigest())
"""


@pytest.fixture
def pipeline(world, monkeypatch):
    """The project of the other tests with the repository's dvc.yaml: one model, two methods, everything run once.

    DVC decides by what stages read and write. So a stand-in for ``headroom`` writes what would be there, in a moment:
    what comes out of a stage is other as soon as anything that goes in is.
    """
    for name in ("headroom", "tasks"):
        shutil.copytree(REPOSITORY / name, world.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(REPOSITORY / name, world.folder / name)
    shutil.rmtree(world.folder / "work")
    world.use("random-heads")
    (world.folder / "local").write_text("data that DVC does not watch")
    stand_in = world.folder / "bin" / "headroom"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN.format(python=sys.executable))
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    Repo.init(no_scm=True).close()
    assert repro() == {"machine", "prepare@bert-toy", "measure@bert-toy", "time@bert-toy", *AFTER}
    return world


def repro() -> set[str]:
    """``dvc repro``; the names of the stages that ran."""
    with Repo() as repo:
        return {stage.addressing for stage in repo.reproduce()}


def test_a_second_run_does_nothing_and_another_workload_is_only_timed(pipeline):
    assert repro() == {"machine"}, "it looks at the machine"
    pipeline.change("batch: 2, length: 8", "batch: 1, length: 8")
    assert repro() == {"machine", "time@bert-toy", *AFTER}, "another workload measures no quality again"


@pytest.mark.slow
def test_only_what_changed_runs_again(pipeline):
    """One test for the whole story, because it is about what one run leaves to the next."""
    assert repro() == {"machine"}, "a second run does nothing but look at the machine"

    template = next((pipeline.folder / "headroom" / "site").rglob("*.html*"))
    template.write_text(template.read_text() + "\n")
    assert repro() == {"machine", "site"}, "a changed template builds the site only"

    pipeline.change("batch: 2, length: 8", "batch: 1, length: 8")
    assert repro() == {"machine", "time@bert-toy", *AFTER}, "another workload measures no quality again"

    pipeline.method("my-idea", "for t in targets: yield Plan(t, ctx.units.first(ctx.units.all, t))")
    cells = {"machine", "measure@bert-toy", "time@bert-toy", *AFTER}
    assert repro() == cells, "a new method prepares no model again"

    file = pipeline.folder / "methods" / "my_idea.py"
    file.write_text(file.read_text() + "\n# a second thought\n")
    assert repro() == cells, "an edited method likewise"

    (pipeline.folder / "results/test/quality/bert-toy/of").unlink()
    assert "measure@bert-toy" in repro(), "a record that was taken away is asked for again"

    pipeline.change("steps: 60", "steps: 61")
    assert repro() == {"prepare@bert-toy", *cells}, "another recipe runs everything of its model"

    (pipeline.folder / "local").write_text("other data")
    assert repro() == {"prepare@bert-toy", *cells}, "so do other local data, of which `machine` notes the hashes"


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
    ("stage", "named"),
    [("measure", engine.MEASURED), ("claims", engine.MEASURED), ("prepare", engine.PREPARED), ("time", engine.TIMED)],
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
            known = any(f"{out}/".startswith(f"{dep}/") or dep.startswith(f"{out}/") for out in made)
            known = known or (REPOSITORY / dep).exists()
            assert known, f"{name} depends on {dep}"


def test_no_stage_depends_on_bytecode_or_on_the_journal():
    ignored = (REPOSITORY / ".dvcignore").read_text().split()
    assert "__pycache__" in ignored and "work/*/journal" in ignored
