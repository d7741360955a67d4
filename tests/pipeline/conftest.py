"""A project in a temporary folder: one toy model, prepared once, and whatever methods a test writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from headroom.config import project

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
"""

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
        self.params.write_text(self.params.read_text() + RECOVER)

    def change(self, old: str, new: str) -> None:
        text = self.params.read_text()
        assert old in text, f"{old!r} is not in params.yaml"
        self.params.write_text(text.replace(old, new, 1))

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """``headroom WORDS`` in the project's folder, in a process of its own."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, env=os.environ | environment, capture_output=True, text=True
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from headroom.cli import main; main()", *words]


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
    from headroom.config.params import load
    from headroom.pipeline.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    (folder / "params.yaml").write_text(PARAMS)
    params = load(folder / "params.yaml")
    prepare("bert-toy", params.models["bert-toy"], folder / "bert-toy", threads=1)
    return folder / "bert-toy"


@pytest.fixture
def world(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Project]:
    """A fresh project with the toy model prepared; the test's working directory is moved into it."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    shutil.copytree(REPOSITORY / "methods", tmp_path / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(prepared, tmp_path / "work" / "test" / "models" / "bert-toy")
    monkeypatch.chdir(tmp_path)
    project.root.cache_clear()
    yield Project(tmp_path)
    project.root.cache_clear()
