"""A small profile that really ran: a toy model, prepared and scored once for all tests here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroom.config import project
from headroom.config.params import Params, load

REPOSITORY = Path(__file__).parents[2]
PARAMS = """
profile: test
results: results/test
work: work/test
site: results/test/site
run: {threads: 1, seeds: [0], draws: 5, targets: [0.25, 0.5, 1.0], plan_seconds: 60, resamples: 100}
speed: {targets: [0.5], pairs: 15, works: {classification: [{kind: encode, batch: 2, length: 8}]}}
methods:
  dense: {}
  michel-greedy: {examples: 16}
  layer-similarity: {examples: 16}
models:
  bert-toy:
    source:
      config: {family: bert, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 3, num_attention_heads: 4,
        max_position_embeddings: 64, hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0, num_labels: 2}
    tokenizer: {kind: wordpiece, size: 64}
    tasks: [toy-classification]
    train: {steps: 60, batch: 32, learning_rate: 0.005, warmup: 10, length: 32, checkpoints: [12, 30]}
    calibrate: {examples: 16}
    evaluate: {batch: 16}
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Params]:
    """The params of a profile with quality records; the working directory is its project."""
    from headroom.pipeline.measure import run
    from headroom.pipeline.prepare import prepare

    folder = tmp_path_factory.mktemp("claims")
    (folder / "params.yaml").write_text(PARAMS)
    for name in ("methods", "tasks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        project.root.cache_clear()
        params = load(Path("params.yaml"))
        prepare("bert-toy", params.models["bert-toy"], params.model_folder("bert-toy"), threads=1)
        run(params, "params.yaml", "bert-toy", workers=1)
        yield params
    project.root.cache_clear()
