"""Data sets of the Hub: at their commit, with and without a network, under the names that the local files have."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from loopback import Hub

from headroom.config.located import validated
from headroom.config.tasks import Task
from headroom.data.loading import load_splits, origin
from headroom.errors import UserError

NAME = "owner/reviews"
CARD = "---\nconfigs:\n{}---\n"
CONFIG = """- config_name: {name}
  data_files:
  - split: train
    path: {name}/train-*
  - split: test
    path: {name}/test-*
"""


def write(folder: Path, word: str, configs: tuple[str, ...] = ("short", "long")) -> Path:
    """A data set of two configurations with two splits each; every text holds the word."""
    for name in configs:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split in ("train", "test"):
            texts = [f"{word} {name} {split} {number}" for number in range(6)]
            table = pyarrow.table({"sentence": texts, "label": [number % 2 for number in range(6)]})
            pyarrow.parquet.write_table(table, folder / name / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text(CARD.format("".join(CONFIG.format(name=name) for name in configs)))
    return folder


def task(revision: str, name: str = NAME, **data: object) -> Task:
    content = {
        "name": "reviews",
        "version": 1,
        "summary": "For tests.",
        "evaluator": "classification",
        "data": {"hub": name, "revision": revision, "config": "short"} | data,
        "splits": {"calibrate": "train", "evaluate": "test"},
        "columns": {"text": "sentence"},
        "classes": ["no", "yes"],
        "metric": {"name": "accuracy", "better": "higher", "unit": "%", "chance": "majority"},
        "licence": "none",
        "cite": "nobody",
    }
    content["data"] = {key: value for key, value in content["data"].items() if value is not None}
    return validated(Task, content, "tasks/reviews.yaml")


def first(task: Task) -> str:
    return load_splits(task)["evaluate"][0]["text"]


@pytest.fixture(scope="module")
def commits(hub: Hub, tmp_path_factory) -> list[str]:
    """Two commits of a data set; the branch is at the second."""
    folder = tmp_path_factory.mktemp("rows")
    return [hub.put(NAME, write(folder, word), "datasets") for word in ("old", "new")]


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def test_rows_are_those_of_the_commit_or_of_what_a_branch_is_now(commits):
    assert first(task(commits[0])) == "old short test 0"
    assert first(task("main")) == first(task(commits[1])) == "new short test 0"
    assert origin(task("main")) == f"{NAME} of the Hub at {commits[1]}"


def test_without_a_network_they_are_still_those_of_the_commit(commits, offline, hub):
    """The library by itself gives the commit that was asked last, of whichever it was asked for."""
    hub.asked.clear()
    assert [first(task(commit)) for commit in commits] == ["old short test 0", "new short test 0"]
    assert first(task("main")) == "new short test 0"
    assert not hub.asked


def test_what_was_not_fetched_is_a_sentence_without_a_network(commits, offline):
    for wanted in (task("f" * 40), task(commits[0], config="long"), task("main", "owner/other")):
        with pytest.raises(UserError, match=r"^tasks/reviews.yaml: owner/.* Without a network, run `headroom fetch"):
            load_splits(wanted)


def test_files_of_a_large_data_set_are_named_and_no_others_fetched(commits, hub):
    hub.asked.clear()
    files = {"train": "long/train-*.parquet", "test": "*/test-*.parquet"}
    splits = load_splits(task(commits[1], config=None, hub_files=files))
    assert [len(split) for split in splits.values()] == [6, 12]
    assert splits["evaluate"][0]["text"] == "new long test 0", "in the order of the files' names"
    assert not [line for line in hub.asked if "/resolve/" in line and "short/train" in line]
    with pytest.raises(UserError, match=r"no file is called 'nosuch-\*.parquet', which hub_files.test names"):
        load_splits(task(commits[1], config=None, hub_files=files | {"test": "nosuch-*.parquet"}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"hub_files": {"train": "a.bin"}}, "data.hub_files.train is 'a.bin'; files that can be read end in .parquet"),
        ({"hub_files": {"train": "../a.json"}}, "stays inside"),
        ({"hub_files": {"train": "a.json.gz"}}, "data.config is .*|data.config: hub_files names the files"),
        ({"revision": "a b"}, "data.revision is 'a b'; a revision is a commit of the Hub"),
    ],
)
def test_what_a_task_file_may_not_say(data, said):
    with pytest.raises(UserError, match=said):
        task(**{"revision": "main"} | data)


def test_columns_that_the_hub_calls_otherwise_get_the_names_of_the_local_files(hub, tmp_path):
    pairs = [{"en": f"word {number}", "de": f"Wort {number}"} for number in range(4)]
    pyarrow.parquet.write_table(pyarrow.table({"translation": pairs, "label": [0, 1, 0, 1]}), tmp_path / "all.parquet")
    commit = hub.put("owner/nested", tmp_path, "datasets")
    asked = {"hub_files": {"train": "all.parquet", "test": "all.parquet"}, "config": None}
    given = task(commit, "owner/nested", **asked, hub_columns={"sentence": "translation.en"})
    given = given.model_copy(update={"splits": given.splits.model_copy(update={"calibrate": "train[:2]"})})
    given = given.model_copy(update={"splits": given.splits.model_copy(update={"evaluate": "test[2:]"})})
    assert first(given) == "word 2"
    with pytest.raises(
        UserError, match=r"hub_columns.sentence is 'translation.fr'. Did you mean 'translation.(en|de)'"
    ):
        load_splits(task(commit, "owner/nested", **asked, hub_columns={"sentence": "translation.fr"}))
    with pytest.raises(UserError, match=r"hub_columns.label: the data set has that column already"):
        load_splits(task(commit, "owner/nested", **asked, hub_columns={"label": "translation"}))


def test_what_the_hub_refuses_has_its_next_step(hub, commits, tmp_path):
    hub.put("owner/shut", write(tmp_path, "shut"), "datasets", gated=True)
    for name, said in {
        "owner/shut": "gives it to those who have asked. Ask for access at .*datasets/owner/shut, then log in with",
        "owner/nosuch": "the Hub has no such data set, or a private one. Look at the name, or log in",
    }.items():
        with pytest.raises(UserError, match=said):
            load_splits(task("main", name))
    with pytest.raises(UserError, match=r"the data set has no such revision. Take a branch, or a commit"):
        load_splits(task("nosuch"))
    with pytest.raises(UserError, match="BuilderConfig 'shrt' not found"):
        load_splits(task("main", config="shrt"))
    with pytest.raises(UserError, match='Unknown split "tst"'):
        load_splits(task("main", hub_splits={"test": "tst"}))


def test_local_files_come_before_the_hub_and_that_is_said(commits, tmp_path, monkeypatch):
    write(tmp_path, "mine")
    here = {"test": "short/test-00000-of-00001.parquet"}
    asked = task(commits[0], folder=here)
    monkeypatch.delenv("HEADROOM_DATA", raising=False)
    assert first(asked) == "old short test 0"
    monkeypatch.setenv("HEADROOM_DATA", str(tmp_path))
    assert first(asked) == "mine short test 0"
    assert origin(asked) == f"{NAME} of the Hub at {commits[0]}, and files in HEADROOM_DATA for test"
