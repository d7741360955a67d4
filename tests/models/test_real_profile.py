"""Dense models of the profile ``real`` score what was measured of them, through the profile's own tasks and evaluators.

Beside each figure: what was checked of the model elsewhere, on these or other examples. Skipped where the data are not
below HEADROOM_DATA, or the wheel of a package is not in the cache (HEADROOM_CACHE, its folder wheels).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from headroom.config.params import load
from headroom.config.project import root
from headroom.config.tasks import load_task
from headroom.data.loading import read_split
from headroom.evaluate import Evaluation
from headroom.models.loading import load_prepared
from headroom.models.packages import cache_folder
from headroom.pipeline.prepare import prepare
from headroom.results.stats import AGGREGATES

pytestmark = pytest.mark.slow

PARAMS = load(root() / "profiles" / "real" / "params.yaml")

DENSE = [  # model, task, examples, figure, how far off another processor's arithmetic may be
    ("stories260k", "tinystories", 300, 0.9290, 0.0005),
    ("vit-mnist", "mnist", 5000, 97.62, 0.05),  # 97.21 on all 10,000
    ("vit-tiny-imagenet", "tiny-imagenet-sample", 400, 79.25, 0.5),  # 82.6 on all 800
    ("bergamot-en-pt", "flores200-en-pt", 797, 47.10, 0.15),  # 45.6 on the first 96, which test_real_packages.py has
    ("rxnfp", "schneider50k", 5000, 98.32, 0.05),  # 98.67 on 1,500, published about 98.9
    ("smollm2-135m", "piqa", 132, 61.36, 1.6),  # two questions of 132
    ("smollm2-135m", "arc-easy", 76, 42.11, 2.7),  # two of 76
    ("smollm2-135m", "blimp", 500, 74.20, 0.8),  # four pairs of 500
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def at_hand(model: str, task: str) -> None:
    """Skips where anything would have to be fetched."""
    data = os.environ.get("HEADROOM_DATA", "")
    files = (load_task(task).data.folder or {}).values()
    if not data or not all((Path(data) / file).is_file() for file in files):
        pytest.skip(f"the data of {task} are not below HEADROOM_DATA")
    package = PARAMS.models[model].source.package
    if package and not list((cache_folder() / "wheels").glob(f"{package.name.replace('-', '_')}-{package.version}-*")):
        pytest.skip(f"the wheel {package} is not in {cache_folder() / 'wheels'}")


@pytest.mark.parametrize(("model", "task", "examples", "figure", "apart"), DENSE)
def test_a_dense_model_scores_what_it_scored(tmp_path, model, task, examples, figure, apart):
    at_hand(model, task)
    spec = PARAMS.models[model].model_copy(update={"tasks": [task]})
    prepare(model, spec, tmp_path / model, threads=1)
    ready = load_prepared(tmp_path / model)
    rows = read_split(tmp_path / model, task, "evaluate")
    scores = Evaluation.of(ready, [(load_task(task), rows)]).score(ready.model)[task]
    assert len(scores.stats) == examples
    assert float(AGGREGATES[scores.aggregate](scores.stats.sum(axis=0))) == pytest.approx(figure, abs=apart)
