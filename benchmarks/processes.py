"""What starting a stage, finding nothing to do, adding a method and fencing it in cost, in a small project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from benchmarks.figures import TURNS, Figure
from headroom.config.project import root
from headroom.measure.clock import Stopwatch

COPIED = ("headroom", "methods", "tasks")
STARTS = 3
TOO_SLOW_S = 600
METHODS = {"random-heads": "{}", "magnitude-heads": "{}", "michel-greedy": "{examples: 16}"}


def processes() -> Iterator[Figure]:
    """The toy model of the tests through the whole pipeline. Wall clock: processes are waited for."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        make(project)
        yield Figure("first_repro_s", seconds(project, *DVC), "s", "lower")
        yield Figure("noop_repro_s", seconds(project, *DVC), "s", "lower")
        yield Figure("stage_start_s", stage_start(project), "s", "lower")
        costs = []
        for method, parameters in METHODS.items():
            add(project, method, parameters)
            costs.append(seconds(project, *DVC))
        yield Figure("added_method_s", costs[-1], "s", "lower")
        yield Figure("last_over_first_method", costs[-1] / costs[0], "ratio", "lower")
        yield Figure("border_ms", border(project), "ms", "lower")


def border(project: Path) -> float:
    """What the fence and the counters add to the plans of one method and seed."""
    from headroom.checks.toy_bench import toy_bench
    from headroom.config.params import load
    from headroom.config.registry import load_method
    from headroom.pipeline.fence import fenced
    from headroom.pipeline.plans import ask

    bench, params = toy_bench("bert"), load(project / "params.yaml")

    def planned(fence: bool) -> float:
        method = load_method("magnitude-heads", {}, "benchmarks")
        ctx = bench.context(method, 0)
        with Stopwatch() as watch, fenced(params) if fence else nullcontext():
            ask(method, ctx, (0.25, 0.5, 0.75), "benchmarks", 60)
        return 1000 * watch.seconds

    pairs = [(planned(True), planned(False)) for _ in range(TURNS)]
    return median(inside - outside for inside, outside in pairs)


DVC = (sys.executable, "-m", "dvc", "repro", "-q")


def make(project: Path) -> None:
    """A copy of the code and of its pipeline, with the params of the smoke profile cut to one model and one method."""
    hidden = shutil.ignore_patterns("__pycache__", "work", "results")
    for name in COPIED:
        shutil.copytree(root() / name, project / name, ignore=hidden)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(root() / name, project / name)
    (project / "params.yaml").write_text(PARAMS, encoding="utf-8")
    run(project, sys.executable, "-m", "dvc", "init", "--no-scm", "-q")


def add(project: Path, method: str, parameters: str) -> None:
    """One line of params.yaml."""
    params = project / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("methods:\n", f"methods:\n  {method}: {parameters}\n"), encoding="utf-8")


def stage_start(project: Path) -> float:
    """A measure stage whose answers are all kept: what is left is getting there and back."""
    command = (sys.executable, "-c", "from headroom.cli import main; main()", "stage", "measure", "bert-toy")
    return median(seconds(project, *command) for _ in range(STARTS))


def seconds(project: Path, *command: str) -> float:
    with Stopwatch() as watch:
        run(project, *command)
    return watch.seconds


def run(project: Path, *command: str) -> None:
    """Run to the end; its complaint is ours."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=TOO_SLOW_S
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


PARAMS = """
profile: bench
results: results/bench
work: work/bench
site: results/bench/site
run: {threads: 1, seeds: [0], draws: 2, targets: [0.25, 0.5, 1.0], plan_seconds: 60, resamples: 100}
speed:
  targets: [0.5]
  works: {classification: [{kind: encode, batch: 2, length: 8}]}
recover: {}
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
