"""Splits come from where the task says, do not overlap, and have a hash that tells their content."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset

from headroom.config.tasks import Task, load_task
from headroom.data.apart import check_disjoint, data_hash
from headroom.data.choices import texts_of
from headroom.data.columns import check_labels
from headroom.data.loading import load_splits, read_split
from headroom.errors import UserError

REAL = [
    "multi30k-en-de",
    "tinystories",
    "blimp",
    "tiny-imagenet-sample",
    "mnist",
    "sst2",
    "lambada",
    "piqa",
    "wikitext2",
]
TEXTS = [{"sentence": f"text {number}", "label": number % 2} for number in range(10)]


def task(**changes) -> Task:
    fields = {
        "name": "mine",
        "version": 1,
        "summary": "a test",
        "evaluator": "classification",
        "data": {"folder": {"all": "some/table.parquet"}},
        "splits": {"calibrate": "all[:4]", "evaluate": "all[4:]"},
        "columns": {"text": "sentence"},
        "metric": {"name": "accuracy", "better": "higher", "unit": "%", "chance": 50},
        "licence": "none",
        "cite": "nobody",
    }
    return Task.model_validate(fields | changes)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("HEADROOM_DATA", raising=False)
    (tmp_path / "some").mkdir()
    Dataset.from_list(TEXTS).to_parquet(tmp_path / "some" / "table.parquet")
    return tmp_path


def refusal(*arguments) -> str:
    with pytest.raises(UserError) as caught:
        load_splits(*arguments)
    return str(caught.value)


def test_local_files_are_read_with_our_column_names(folder):
    splits = load_splits(task(), folder)
    assert splits["evaluate"].column_names == ["text", "label"]
    assert splits["evaluate"]["text"][0] == "text 4"


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("HEADROOM_DATA", str(folder))
    assert len(load_splits(task())["calibrate"]) == 4


def test_a_slice_may_have_a_step(folder):
    splits = load_splits(task(splits={"calibrate": "all[::2]", "evaluate": "all[1::2]"}), folder)
    assert splits["evaluate"]["text"][:2] == ["text 1", "text 3"]


def test_no_folder_says_which_variable_to_set(folder):
    said = refusal(task())
    assert "HEADROOM_DATA" in said
    assert "some/table.parquet" in said


def test_a_missing_file_names_the_folder_and_the_hub(folder):
    source = {"folder": {"all": "other/table.parquet"}, "hub": "a/b", "revision": "0" * 40}
    said = refusal(task(data=source), folder)
    assert "other/table.parquet" in said
    assert "a/b" in said
    assert "HEADROOM_DATA" in said


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "table.parquet").write_bytes((folder / "some" / "table.parquet").read_bytes())
    (folder / "link").symlink_to(outside)
    assert "leads out" in refusal(task(data={"folder": {"all": "link/table.parquet"}}), folder)


def test_a_damaged_file_is_named(folder):
    (folder / "some" / "table.parquet").write_bytes(b"PAR1 no table PAR1")
    assert "table.parquet" in refusal(task(), folder)


def test_an_unknown_split_and_column_name_the_near_match(folder):
    assert "Did you mean 'all'?" in refusal(task(splits={"calibrate": "al[:4]", "evaluate": "all[4:]"}), folder)
    assert "Did you mean 'sentence'?" in refusal(task(columns={"text": "sentense"}), folder)


def test_overlapping_splits_are_refused_with_their_number(folder):
    said = refusal(task(splits={"calibrate": "all[:6]", "evaluate": "all[4:]"}), folder)
    assert "tasks/mine.yaml" in said
    assert "share 2 examples" in said


def test_overlap_can_be_dropped_from_what_does_not_score(folder):
    splits = load_splits(task(splits={"calibrate": "all[:6]", "evaluate": "all[4:]"}, overlap="drop"), folder)
    assert (len(splits["calibrate"]), len(splits["evaluate"])) == (4, 6)


def test_the_same_input_with_another_label_is_an_overlap():
    first, second = Dataset.from_list([{"text": "a", "label": 0}]), Dataset.from_list([{"text": "a", "label": 1}])
    with pytest.raises(UserError, match="share 1 examples"):
        check_disjoint({"calibrate": first, "evaluate": second}, task())


def test_the_hash_tells_content_and_not_where_it_lies(folder):
    first = data_hash(load_splits(task(), folder))
    again = {name: Dataset.from_list(split.to_list()) for name, split in load_splits(task(), folder).items()}
    assert data_hash(again) == first
    assert data_hash({"calibrate": again["evaluate"], "evaluate": again["calibrate"]}) != first


def test_an_offline_hub_says_which_folder_to_set():
    """In a process of its own, because the Hub's libraries read the environment when they are imported."""
    code = (
        "from test_splits import task\nfrom headroom.data.loading import load_splits\n"
        "load_splits(task(data={'hub': 'nobody/nothing', 'revision': '0' * 40, 'folder': {'all': 'some/t.parquet'}}))"
    )
    surroundings = {key: value for key, value in os.environ.items() if key != "HEADROOM_DATA"}
    surroundings |= {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parent)}
    said = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True).stderr
    assert "UserError" in said
    assert "HF_HOME" in said
    assert "HEADROOM_DATA" in said


def test_the_right_choice_does_not_keep_its_place(folder):
    rows = [{"good": f"good {number}", "bad": f"bad {number}"} for number in range(6)]
    Dataset.from_list(rows).to_parquet(folder / "some" / "pairs.parquet")
    splits = load_splits(
        task(
            evaluator="multiple-choice",
            data={"folder": {"all": "some/pairs.parquet"}},
            columns={"choices": ["good", "bad"]},
        ),
        folder,
    )
    evaluate = splits["evaluate"].to_list()
    assert [row["gold"] for row in splits["calibrate"]] == [0, 1, 0, 1]
    assert all(row["choices"][row["gold"]].startswith("good") for row in evaluate)


def test_choices_in_columns_of_their_own_stay_in_order_where_a_column_says_which_is_right(folder):
    rows = [{"one": f"one {number}", "two": f"two {number}", "right": number % 3 % 2} for number in range(6)]
    Dataset.from_list(rows).to_parquet(folder / "some" / "pairs.parquet")
    asked = task(
        evaluator="multiple-choice",
        data={"folder": {"all": "some/pairs.parquet"}},
        columns={"choices": ["one", "two"], "gold": "right"},
    )
    calibrate = load_splits(asked, folder)["calibrate"].to_list()
    assert [row["gold"] for row in calibrate] == [0, 1, 0, 0]
    assert all(row["choices"][0].startswith("one") for row in calibrate)


def continued(folder, columns):
    rows = [{"text": f"a b{number} w{number}\n", "next": f"w{number}", "none": " "} for number in range(6)]
    Dataset.from_list(rows).to_parquet(folder / "some" / "texts.parquet")
    metric = {"name": "accuracy", "better": "higher", "unit": "%", "chance": 0}
    data = {"folder": {"all": "some/texts.parquet"}}
    return task(evaluator="continuation", metric=metric, data=data, columns=columns)


def test_a_continuation_is_the_last_word_of_a_text_or_a_column_of_its_own(folder):
    last = load_splits(continued(folder, {"context": "text", "continuation": "text"}), folder)["evaluate"]
    assert last.to_list()[0] == {"context": "a b4", "continuation": "w4"}
    apart = load_splits(continued(folder, {"context": "text", "continuation": "next"}), folder)["evaluate"]
    assert apart.to_list()[0] == {"context": "a b4 w4\n", "continuation": "w4"}
    assert texts_of(last)[0] == "a b4 w4" and texts_of(last, "context")[0] == "a b4"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"context": "text", "continuation": "none"}, "columns.continuation: nothing follows in example 0"),
        ({"context": "text", "continuation": "nxt"}, "columns.continuation is 'nxt'. Did you mean 'next'?"),
        ({"continuation": "text"}, "columns.context is 'context'. "),
    ],
)
def test_a_continuation_that_is_not_there_is_a_sentence(folder, columns, said):
    assert said in refusal(continued(folder, columns), folder)


def test_images_survive_the_table_to_the_pixel(tmp_path):
    digits = load_splits(load_task("toy-images"))["evaluate"]
    (tmp_path / "data" / "toy-images").mkdir(parents=True)
    digits.to_parquet(tmp_path / "data" / "toy-images" / "evaluate.parquet")
    again = read_split(tmp_path, "toy-images", "evaluate")
    assert data_hash({"evaluate": again}) == data_hash({"evaluate": digits})
    assert again[0]["image"].size == (8, 8)


@pytest.mark.parametrize("name", REAL)
def test_real_tasks_load_with_disjoint_splits(name):
    found = load_task(name)
    where = os.environ.get("HEADROOM_DATA")
    if not where or not all((Path(where) / file).is_file() for file in (found.data.folder or {}).values()):
        pytest.skip(f"the data of {name} are not here; set HEADROOM_DATA to their folder")
    splits = load_splits(found)
    assert len(splits["evaluate"]) >= 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"splits": {"train": "all[5:]", "calibrate": "all[:4]", "evaluate": "all[4:]"}, "overlap": "drop"},
            ["tasks/mine.yaml", "splits.train is empty", "all of its 5 examples", "stand in evaluate or calibrate too"],
        ),
        (
            {"splits": {"calibrate": "all[4:]", "evaluate": "all[4:]"}, "overlap": "drop"},
            ["splits.calibrate is empty", "all of its 6 examples"],
        ),
        ({"splits": {"calibrate": "all[:0]", "evaluate": "all[4:]"}}, ["splits.calibrate is 'all[:0]'", "no example"]),
        ({"splits": {"calibrate": "all[:4]", "evaluate": "all[40:]"}}, ["splits.evaluate is 'all[40:]'", "no example"]),
        ({"splits": {"calibrate": "all[:4]", "evaluate": "all[8:2]"}}, ["splits.evaluate is 'all[8:2]'", "no example"]),
        ({"columns": {"text": "label"}}, ["columns.text is 'label', which holds int64; wanted text"]),
        ({"columns": {"text": "hole"}}, ["columns.text is 'hole', and 4 of 4 examples have none"]),
        (
            {"evaluator": "multiple-choice", "columns": {"choices": "both", "gold": "label"}},
            ["columns.gold: example 1 has 2 choices and number 5 is said to be right"],
        ),
        (
            {"evaluator": "multiple-choice", "columns": {"choices": "both", "gold": "golt"}},
            ["columns.gold names 'golt'", "Did you mean 'gold'?"],
        ),
        (
            {"evaluator": "multiple-choice", "columns": {"choices": "alone", "gold": "gold"}},
            ["columns.choices: example 0 has 1 choices"],
        ),
    ],
)
def test_splits_that_no_stage_could_use_are_refused(folder, changes, words):
    rows = [
        {"sentence": f"text {n}", "label": 5 * n, "hole": None, "both": ["a", "b"], "alone": ["a"], "gold": 0}
        for n in range(10)
    ]
    Dataset.from_list(rows).to_parquet(folder / "some" / "table.parquet")
    metric = {"name": "accuracy", "better": "higher", "unit": "%", "chance": 50}
    said = refusal(task(metric=metric, **changes), folder)
    assert all(word in said for word in words), said


@pytest.mark.parametrize("label", [2, -1, "1", 0.5])
def test_a_label_that_the_model_has_no_class_for_is_named(label):
    split = {"train": Dataset.from_list([{"text": "a", "label": type(label)(0)}, {"text": "b", "label": label}])}
    with pytest.raises(UserError) as caught:
        check_labels(split, task(), 2, "params.yaml: models.mine: source.config.num_labels")
    said = str(caught.value)
    assert f"the label {label!r}" in said or "the label '0'" in said or "the label 0.0" in said
    assert "tasks/mine.yaml: splits.train: example" in said
    assert "the classes 0 to 1 (params.yaml: models.mine: source.config.num_labels is 2)" in said


def test_labels_of_the_models_classes_are_in_order():
    check_labels({"train": Dataset.from_list([{"text": "a", "label": n} for n in range(3)])}, task(), 3, "here")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    raise KeyError('[/INST]')", "tasks/mine.py, line 2: KeyError: '[/INST]'"),
        ("    return None", "tasks/mine.py: make(seed) gives no rows; wanted {split: [{column: value}, ...]}."),
        ("    return {'all': [1]}", "tasks/mine.py: make(seed) gives no rows"),
        ("    return {'all': [{'text': 'a'}, {'text': 2}]}", "a column holds values of several types"),
        ("    return (", "SyntaxError: '(' was never closed"),
    ],
)
def test_a_file_that_makes_no_data_is_named_with_its_error(folder, body, words):
    (folder / "tasks").mkdir()
    (folder / "tasks" / "mine.py").write_text(f"def make(seed):\n{body}\n")
    said = refusal(task(data={"made": "tasks/mine.py"}), None, folder)
    assert said.startswith("tasks/mine.yaml: data.made: ") and words in said, said
    (folder / "tasks" / "mine.py").write_text("made = 1\n")
    assert "make(seed) is missing" in refusal(task(data={"made": "tasks/mine.py", "seed": 1}), None, folder)
