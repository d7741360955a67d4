"""Task files say what is wrong with them, and lead nowhere but to their own data."""

from pathlib import Path

import pytest

from headroom.config.model_spec import load_spec
from headroom.config.tasks import load_task, tasks_folder
from headroom.errors import UserError

GOOD = """
name: mine
version: 1
summary: A test.
evaluator: classification
data: {folder: {all: some/table.parquet}}
splits: {calibrate: "all[:4]", evaluate: "all[4:]"}
metric: {name: accuracy, better: higher, unit: "%", chance: majority}
licence: none
cite: nobody
"""


def refusal(tmp_path: Path, old: str = "", new: str = "", name: str = "mine") -> str:
    (tmp_path / "mine.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        load_task(name, tmp_path)
    return str(caught.value)


def test_a_good_file_is_read(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    task = load_task("mine", tmp_path)
    assert task.purpose == "classification"
    assert task.splits.named() == {"calibrate": "all[:4]", "evaluate": "all[4:]"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("licence:", "lisence:", ["tasks/mine.yaml", "lisence", "Did you mean 'licence'?"]),
        ("unit:", "units:", ["metric.units", "Did you mean 'unit'?"]),
        ("evaluator: classification", "evaluator: clasification", ["evaluator", "Did you mean 'classification'?"]),
        ("version: 1\n", "", ["version: this key is missing"]),
        ("version: 1", "version: 0", ["version is 0"]),
        ("name: mine", "name: other", ["name is 'other'", "'mine'"]),
        ("all[:4]", "all[four]", ["splits.calibrate", "train[:4096]"]),
        ("some/table.parquet", "../table.parquet", ["data.folder.all", "inside"]),
        ("some/table.parquet", "/etc/table.parquet", ["data.folder.all", "inside"]),
        ("{folder: {all: some/table.parquet}}", "{hub: a/b}", ["revision", "40 hex digits"]),
        ("{folder: {all: some/table.parquet}}", "{hub: a/b, revision: main}", ["data.revision is 'main'"]),
        ("{folder: {all: some/table.parquet}}", "{seed: 1}", ["made", "folder", "hub"]),
        ("licence: none", "columns: {txt: sentence}\nlicence: none", ["columns.txt", "Did you mean 'text'?"]),
        ("licence: none", "licence: [", ["not readable as YAML"]),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, old, new, words):
    said = refusal(tmp_path, old, new)
    assert all(word in said for word in words), said


def test_an_unknown_task_names_the_near_match(tmp_path):
    assert "Did you mean 'mine'?" in refusal(tmp_path, name="mien")


def test_a_task_name_cannot_leave_the_folder(tmp_path):
    assert "no task" in refusal(tmp_path, name="../mine")


@pytest.mark.parametrize("name", sorted(path.stem for path in tasks_folder().glob("*.yaml")))
def test_every_task_of_the_project_is_well_formed(name):
    assert load_task(name).name == name


SPEC = {
    "source": {"config": {"family": "bert"}},
    "tokenizer": {"kind": "word", "size": 10},
    "tasks": ["toy-classification"],
    "train": {"steps": 1, "batch": 1, "learning_rate": 0.1},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trian": {}}, ["models.mine", "trian", "Did you mean 'train'?"]),
        ({"train": {**SPEC["train"], "warm_up": 3}}, ["train.warm_up", "Did you mean 'warmup'?"]),
        ({"train": None}, ["belongs to a model that is built"]),
        ({"tokenizer": {"kind": "bpe"}}, ["give a size"]),
        ({"source": {"config": {"family": "bert"}, "hub": "a/b"}}, ["exactly one"]),
        ({"source": {"folder": "../elsewhere"}, "train": None}, ["source.folder", "inside"]),
        ({"evaluate": {"decoding": "gredy"}}, ["evaluate.decoding", "Did you mean 'greedy'?"]),
    ],
)
def test_a_wrong_model_entry_is_refused_in_words(change, words):
    with pytest.raises(UserError) as caught:
        load_spec("mine", SPEC | change)
    assert all(word in str(caught.value) for word in words), str(caught.value)
