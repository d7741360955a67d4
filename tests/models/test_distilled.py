"""A translator without parallel texts is fine-tuned on its own translations of another task's sentences."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from model_folders import save_folder

from headroom.api import Grain
from headroom.attention import anatomy, without
from headroom.config.model_spec import load_spec
from headroom.config.params import Recover
from headroom.config.tasks import load_task, tasks_folder
from headroom.data.loading import load_splits, read_split
from headroom.errors import UserError
from headroom.models.loading import load_prepared
from headroom.pipeline.bench import Bench
from headroom.pipeline.inputs import inputs
from headroom.pipeline.prepare import prepare

TAUGHT = "splits: {train: translation_train, calibrate"


@pytest.fixture(autouse=True)
def untaught(tmp_path_factory, monkeypatch) -> None:
    """The toy translation without its train split, beside the one that has it."""
    folder = tmp_path_factory.mktemp("project") / "tasks"
    folder.mkdir()
    for name in ("toy-translation", "toy-images", "toy-classification"):
        text = (tasks_folder() / f"{name}.yaml").read_text()
        (folder / f"{name}.yaml").write_text(text)
        if name == "toy-translation":
            assert TAUGHT in text
            text = text.replace(TAUGHT, "splits: {calibrate").replace("name: toy-translation", "name: untaught")
            (folder / "untaught.yaml").write_text(text)
    monkeypatch.setattr("headroom.config.tasks.tasks_folder", lambda: folder)


def spec(own: str = "untaught", **distil: Any) -> dict[str, Any]:
    return {
        "source": {"folder": "model"},
        "tasks": [own],
        "distil": {"task": "toy-translation", "examples": 20} | distil,
        "evaluate": {"max_new_tokens": 8},
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    save_folder("m2m_100", tmp_path / "data" / "model")
    return tmp_path / "data"


def test_the_train_split_is_what_the_model_says_and_nothing_that_it_is_evaluated_with(data, tmp_path):
    facts = prepare("m", spec(), tmp_path / "made", data)
    train = read_split(tmp_path / "made", "untaught", "train")
    assert 0 < len(train) <= 20 and facts["tasks"]["untaught"]["examples"]["train"] == len(train)
    held = {row["source"] for name, rows in load_splits(load_task("untaught")).items() for row in rows}
    lent = set(load_splits(load_task("toy-translation"))["train"]["source"])
    assert set(train["source"]) <= lent - held
    prepared = load_prepared(tmp_path / "made", data)
    first = prepared.tokenizer(train["source"][0], return_tensors="pt")
    said = prepared.model.generate(**first, max_new_tokens=8, do_sample=False)
    assert train["target"][0] == prepared.tokenizer.decode(said[0], skip_special_tokens=True)


def test_the_record_says_so(data, tmp_path):
    facts = prepare("m", spec(), tmp_path / "made", data)["tasks"]["untaught"]
    assert facts["contract"]["train"].endswith("in this model's own translations: no reference was seen")
    assert "toy-translation" in facts["contract"]["train"]


def test_removed_models_are_fine_tuned_on_it(data, tmp_path):
    prepare("m", spec(), tmp_path / "made", data)
    bench = Bench(tmp_path / "made", data)
    model = without(bench.dense(), anatomy(bench.prepared.model).units((Grain.HEAD,))[:2])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    student = copy.deepcopy(model)
    bench.lessons(Recover(steps=2, batch=4, learning_rate=0.01)).teach(student, 2, 0)
    assert any((before[name] != tensor).any() for name, tensor in student.state_dict().items())


def test_it_is_made_again_where_the_lender_or_the_number_changes_and_else_not(data, tmp_path, caplog):
    with caplog.at_level("INFO"):
        one = prepare("m", spec(), tmp_path / "made", data)["recipe"]
        assert prepare("m", spec(), tmp_path / "made", data)["recipe"] == one
        assert "prepared already" in caplog.text
        assert prepare("m", spec(examples=10), tmp_path / "made", data)["recipe"] != one


def test_the_lenders_data_are_inputs_of_the_model():
    assert (
        "toy-translation"
        in inputs(load_spec("m", spec() | {"source": {"hub": "a/b", "revision": "0" * 40}}), None)["tasks"]
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (spec("toy-translation"), "toy-translation.yaml has a train split. Leave the key out"),
        (spec(examples=100000), "distil.examples: toy-translation has"),
        (spec(task="untaught"), "distil.task: tasks/untaught.yaml has no train split of sentences"),
        (spec(task="toy-images"), "distil.task: tasks/toy-images.yaml has no train split of sentences"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_made(asked, said, data, tmp_path):

    with pytest.raises(UserError) as caught:
        prepare("m", asked, tmp_path / "made", data)
    assert said in str(caught.value).replace(str(tasks_folder().parent), "")
    assert not (tmp_path / "made").exists()


def test_a_model_that_is_trained_here_needs_none():
    with pytest.raises(UserError, match="distil"):
        load_spec("m", spec() | {"train": {"steps": 1, "batch": 1, "learning_rate": 0.1}})
