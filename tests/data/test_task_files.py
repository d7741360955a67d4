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
        ("{folder: {all: some/table.parquet}}", "{hub: a/b, revision: ma..in}", ["data.revision is 'ma..in'"]),
        ("{folder: {all: some/table.parquet}}", "{seed: 1}", ["made", "folder", "hub"]),
        ("licence: none", "columns: {txt: sentence}\nlicence: none", ["columns.txt", "Did you mean 'text'?"]),
        ("licence: none", "licence: [", ["not readable as YAML"]),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, old, new, words):
    said = refusal(tmp_path, old, new)
    assert all(word in said for word in words), said


METRIC = 'metric: {name: accuracy, better: higher, unit: "%", chance: majority}'
AS = {
    "bits-per-byte": "metric: {name: bits-per-byte, better: lower, unit: bits, chance: unigram}",
    "multiple-choice": METRIC.replace("majority", "uniform"),
    "continuation": METRIC.replace("majority", "0"),
    "translation": "metric: {name: bleu, better: higher, unit: BLEU, chance: 0}",
    "image-classification": METRIC,
}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: accuracy", "name: bleu", ["metric.name is 'bleu'; classification is scored in accuracy"]),
        ("better: higher", "better: lower", ["metric.better is 'lower'; of accuracy the higher is the better"]),
        ("chance: majority", "chance: unigram", ["metric.chance is 'unigram'", "allowed: 'majority' or a number"]),
        ("chance: majority", "chance: uniform", ["metric.chance is 'uniform'", "allowed: 'majority' or a number"]),
        ("chance: majority", "chance: 100", ["metric.chance is 100.0; accuracy goes from 0 to 100"]),
        ("chance: majority", "chance: -1", ["metric.chance is -1.0"]),
        ("chance: majority", "chance: .nan", ["metric.chance"]),
        ("chance: majority", "chance: true", ["metric.chance is True; wanted a number"]),
        ("chance: majority", "chance: majorty", ["metric.chance", "'majorty'. Did you mean 'majority'?"]),
        ("version: 1", "version: true", ["version is True; wanted a number"]),
        ("all[4:]", "all[4::0]", ["splits.evaluate", "a slice such as"]),
        ("all[4:]", "all[-:]", ["splits.evaluate", "a slice such as"]),
        ("{folder: {all: some/table.parquet}}", "{folder: {}}", ["data.folder"]),
        ("{folder: {", "{config: en, folder: {", ["data.config: belongs to a 'hub' id"]),
        ("{folder: {all: some/table.parquet}}", "{made: tasks/toys.py, seed: -1}", ["data.seed is -1"]),
        ("cite: nobody", "cite: nobody\ncolumns: {text: [a, b, c]}", ["columns.text is ['a', 'b', 'c']; name one"]),
        ("cite: nobody", "cite: nobody\ncolumns: {label: [a, b]}", ["columns.label is ['a', 'b']; name one column"]),
        ("cite: nobody", "cite: nobody\nlanguages: {source: en, target: de}", ["languages: belongs to translation"]),
        ("cite: nobody", "cite: nobody\ncalibration: answer", ["calibration: belongs to multiple-choice and"]),
        ("cite: nobody", "cite: nobody\nclasses: ../secret.txt", ["classes is '../secret.txt'", "a path is relative"]),
        ("cite: nobody", "cite: nobody\nclasses: tasks/none.txt", ["classes is 'tasks/none.txt'", "No such file"]),
        ("cite: nobody", f"cite: {'long ' * 500}\nlisence: none", ["lisence: unknown key"]),
    ],
)
def test_what_does_not_fit_together_is_refused_when_the_file_is_read(tmp_path, old, new, words):
    said = refusal(tmp_path, old, new)
    assert all(word in said for word in words), said
    assert said.startswith("tasks/mine.yaml: ") and len(said) < 400


@pytest.mark.parametrize(
    ("evaluator", "old", "new", "message"),
    [
        ("bits-per-byte", "better: lower", "better: higher", "metric.better is 'higher'; of bits-per-byte the lower"),
        ("bits-per-byte", "chance: unigram", "chance: 0", "metric.chance is 0.0; bits per byte without skill"),
        ("bits-per-byte", "chance: unigram", "chance: majority", "allowed: 'unigram' or a number"),
        ("multiple-choice", "chance: uniform", "chance: majority", "allowed: 'uniform' or a number"),
        ("translation", "chance: 0", "chance: majority", "that is not counted for translation; allowed: a number"),
        ("translation", "chance: 0", "chance: 100", "metric.chance is 100.0; bleu goes from 0 to 100"),
        ("translation", "name: bleu", "name: accuracy", "translation is scored in bleu"),
        ("continuation", "chance: 0", "chance: uniform", "that is not counted for continuation; allowed: a number"),
        ("image-classification", "name: accuracy", "name: bits-per-byte", "metric.better"),
        (
            "multiple-choice",
            "cite: nobody",
            "cite: nobody\ncolumns: {choices: [a, a]}",
            "columns.choices is ['a', 'a']",
        ),
        ("multiple-choice", "cite: nobody", "cite: nobody\ncolumns: {choices: []}", "columns.choices is []; name one"),
        ("multiple-choice", "cite: nobody", "cite: nobody\ncolumns: {golt: a}", "no such column. Did you mean 'gold'?"),
    ],
)
def test_every_evaluator_has_its_metric_and_chance(tmp_path, evaluator, old, new, message):
    good = GOOD.replace("evaluator: classification", f"evaluator: {evaluator}").replace(METRIC, AS[evaluator])
    (tmp_path / "mine.yaml").write_text(good)
    assert load_task("mine", tmp_path).evaluator == evaluator
    (tmp_path / "mine.yaml").write_text(good.replace(old, new))
    with pytest.raises(UserError) as caught:
        load_task("mine", tmp_path)
    assert message in str(caught.value)


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
