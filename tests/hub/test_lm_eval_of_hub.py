"""lm-eval's hellaswag from the Hub's data set, at a commit that is stated, and without a network afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets.config
import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import constants
from loopback import Hub

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluate"))
from lm_eval_helpers import ROWS, task

from headroom.data.apart import data_hash
from headroom.data.loading import load_splits
from headroom.errors import UserError

NAME = "Rowan/hellaswag"
CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n{}---\n"


@pytest.fixture(scope="module")
def commit(hub: Hub, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("rows")
    files = ""
    for split, rows in ROWS["hellaswag"].items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
        files += f"  - split: {split}\n    path: {split}-*\n"
    (folder / "README.md").write_text(CARD.format(files))
    return hub.put(NAME, folder, "datasets")


def asked(**how):
    return load_splits(task("hellaswag", "acc_norm", rows=False, shots=2, **how))


def test_the_documents_are_those_of_the_commit_and_stay_without_a_network(commit, monkeypatch):
    splits = asked(revision=commit)
    assert [len(splits[name]) for name in ("calibrate", "evaluate")] == [12, 14]
    assert splits["evaluate"].info.description == f"{NAME} of the Hub at {commit}"
    assert asked()["evaluate"].info.description == f"{NAME} of the Hub at {commit}"  # the one of today
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert data_hash(asked(revision=commit)) == data_hash(splits)


def test_a_commit_that_is_not_there_is_a_sentence(commit):
    with pytest.raises(UserError, match=r"tasks/asked.yaml: split 'train' of lm_eval.task: .*has no such revision"):
        asked(revision="0" * 40)
