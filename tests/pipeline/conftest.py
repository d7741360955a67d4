"""A project in a temporary folder: one toy model, prepared once, and whatever methods a test writes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, nullcontext
from pathlib import Path
from textwrap import dedent
from unittest.mock import patch

import pytest
from one_process import in_one_process

from headroom.cli import main
from headroom.config import project
from headroom.config.params import Params, load
from headroom.measure.machine import machine
from headroom.pipeline import measure, timing
from headroom.pipeline.questions import DeclaredQuestion, PlanQuestion
from headroom.results.files import write
from headroom.results.records import CellRecord
from headroom.results.speed_records import SpeedRecord

REPOSITORY = Path(__file__).parents[2]

PARAMS = """
profile: test
results: results/test
work: work/test
site: results/test/site
run: {threads: 1, seeds: [0], draws: 2, targets: [0.25, 0.5, 1.0], plan_seconds: 60, resamples: 100}
speed:
  targets: [0.5]
  pairs: 15
  works: {classification: [{kind: encode, batch: 2, length: 8}]}
methods:
  dense: {}
models:
  bert-toy:
    source:
      config: {family: bert, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4,
        max_position_embeddings: 64, hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0, num_labels: 2}
    tokenizer: {kind: wordpiece, size: 64}
    tasks: [toy-classification]
    train: {steps: 60, batch: 32, learning_rate: 0.005, warmup: 10, length: 32}
    calibrate: {examples: 16}
    evaluate: {batch: 16}
recover: {}
"""

PRELOADED = [
    "headroom.pipeline.libraries",
    "headroom.pipeline.plans",
    "headroom.pipeline.bench",
    "transformers.models.bert.modeling_bert",
    "pytest",
]

RECOVER = """
recover:
  bert-toy: {steps: 10, batch: 16, learning_rate: 0.002}
"""


class Project:
    """A folder with params.yaml and methods/, and the command line run inside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.params = folder / "params.yaml"

    def method(self, name: str, plans: str, needs: str = "", params: str = "{}") -> None:
        """Write a method file whose ``plans`` has this body, and its line in params.yaml."""
        file = self.folder / "methods" / f"{name.replace('-', '_')}.py"
        file.write_text(METHOD.format(name=name, needs=needs, body=dedent(plans).strip().replace("\n", "\n        ")))
        self.change("methods:\n", f"methods:\n  {name}: {params}\n")

    def use(self, name: str, params: str = "{}") -> None:
        """Run a method that comes with Headroom."""
        self.change("methods:\n", f"methods:\n  {name}: {params}\n")

    def recover(self) -> None:
        """Give every plan of the toy model ten steps of fine-tuning."""
        self.change("recover: {}\n", RECOVER)

    def change(self, old: str, new: str) -> None:
        text = self.params.read_text()
        assert old in text, f"{old!r} is not in params.yaml"
        self.params.write_text(text.replace(old, new, 1))

    @property
    def loaded(self) -> Params:
        return load(self.params)

    @property
    def journal(self) -> Path:
        return self.folder / "work/test/journal"

    def record(self, method: str) -> Path:
        return self.loaded.quality_record("bert-toy", method)

    def measure(self, workers: int | None = 0, model: str = "bert-toy") -> dict[str, CellRecord]:
        """The stage ``measure``, its books kept by this process; the records by method.

        With 0 ``workers`` of the engine ``processes`` all questions are answered by this process too.
        """
        params = self.loaded
        alone = workers == 0 and params.run.engine == "processes"
        with in_one_process() if alone else nullcontext():
            return {record.method: record for record in measure.run(params, "params.yaml", model, workers or None)}

    def time(self, ready: Callable[[], None] = lambda: None) -> dict[str, SpeedRecord]:
        """The stage ``time`` in this process; the records by method."""
        params = self.loaded
        write(params.machine, machine(params.run.threads))
        return {record.method: record for record in timing.run(params, "params.yaml", "bert-toy", ready)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """``headroom WORDS`` in the project's folder, in a process of its own."""
        command = [sys.executable, "-c", "from headroom.cli import main; main()", *words]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
        )


METHOD = '''"""A method for a test."""

from headroom.api import Grain, Method, Plan


class Tested(Method):
    name = "{name}"
    title = "Tested"
    paper = "none"
    {needs}

    def removes(self):
        return (Grain.HEAD,)

    def plans(self, ctx, targets):
        {body}
'''


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy model trained: two seconds, once a session."""
    from headroom.pipeline.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    (folder / "params.yaml").write_text(PARAMS)
    params = load(folder / "params.yaml")
    prepare("bert-toy", params.models["bert-toy"], folder / "bert-toy", threads=1)
    return folder / "bert-toy"


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[None]:
    """What workers are forked from, once a test has any: it has what each of them would import, half a second each."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield
        return
    from multiprocessing import forkserver

    start = forkserver._forkserver.ensure_running

    def started() -> None:
        forkserver.set_forkserver_preload(PRELOADED)  # whichever pool is the first
        with patch.dict(os.environ):  # of the test that happens to be the first: the others' workers have its variables
            os.environ.pop("HEADROOM_DATA", None)
            start()

    with patch.object(forkserver._forkserver, "ensure_running", started):
        yield


@contextmanager
def inside(folder: Path, prepared: Path) -> Iterator[Project]:
    """A fresh project with the toy model prepared; the working directory is in it meanwhile."""
    (folder / "params.yaml").write_text(PARAMS)
    shutil.copytree(REPOSITORY / "methods", folder / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(prepared, folder / "work" / "test" / "models" / "bert-toy")
    with entered(folder) as made:
        yield made


@contextmanager
def entered(folder: Path) -> Iterator[Project]:
    """A project that is there; the working directory is in it meanwhile."""
    with chdir(folder):
        project.root.cache_clear()
        try:
            yield Project(folder)
        finally:
            project.root.cache_clear()


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Callable[[Path], Project]]:
    """``copied(folder)``: a copy of a project for one test, with the working directory in it."""
    with ExitStack() as stack:

        def copy(folder: Path) -> Project:
            shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
            return stack.enter_context(entered(tmp_path))

        yield copy


@pytest.fixture
def world(tmp_path: Path, prepared: Path) -> Iterator[Project]:
    """A project of the test's own."""
    with inside(tmp_path, prepared) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Callable[[], object]:
    """``with shared() as world``: a project for several tests, made once for their module."""
    return lambda: inside(tmp_path_factory.mktemp("shared"), prepared)


@pytest.fixture(scope="module")
def patience() -> Callable[..., AbstractContextManager[None]]:
    """``with patience(name=8)``: workers may be silent for two minutes, and for the method ``name`` 8 seconds.

    On a busy machine a worker needs seconds before it begins, which are no fault of the method.
    """

    @contextmanager
    def given(**seconds: float) -> Iterator[None]:
        limit = property(lambda question: seconds.get(question.method.replace("-", "_"), 120.0))
        with patch.object(DeclaredQuestion, "seconds", limit), patch.object(PlanQuestion, "seconds", limit):
            yield

    return given


@pytest.fixture
def headroom(
    world: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., object]:
    """``headroom WORDS`` in this process: the exit code, and what it printed as one line."""

    def call(*words: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["headroom", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, " ".join((said.out + said.err).split())

    return call
