"""A pretrained model is trained here: from its own weights and a new head, and every other weight has to be there."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import torch
from model_folders import edit, reweigh, save_folder
from safetensors.torch import load_file

from headroom.config.model_spec import load_spec
from headroom.config.params import Recover
from headroom.config.tasks import load_task, tasks_folder
from headroom.errors import UserError
from headroom.models.fitting import troubles
from headroom.models.loading import load_prepared
from headroom.pipeline.bench import Bench
from headroom.pipeline.prepare import prepare

TRAIN = {"steps": 12, "batch": 8, "learning_rate": 0.01, "length": 32}


@pytest.fixture(autouse=True)
def named_classes(tmp_path_factory, monkeypatch) -> None:
    """The toy task with names for its classes."""
    folder = tmp_path_factory.mktemp("project") / "tasks"
    folder.mkdir()
    text = (tasks_folder() / "toy-classification.yaml").read_text()
    named = text.replace("name: toy-classification", "name: named") + "classes: [dogs, cats]\n"
    (folder / "named.yaml").write_text(named)
    (folder / "toy-classification.yaml").write_text(text)
    (folder / "toy-language.yaml").write_text((tasks_folder() / "toy-language.yaml").read_text())
    monkeypatch.setattr("headroom.config.tasks.tasks_folder", lambda: folder)


def spec(task: str = "named", **more: Any) -> dict[str, Any]:
    return {"source": {"folder": "model"}, "tasks": [task], "train": TRAIN} | more


def bare(weights: dict[str, Any]) -> None:
    """A BertModel's: names without their first part, and no head."""
    for name in list(weights):
        tensor = weights.pop(name)
        if name.startswith("bert."):
            weights[name.removeprefix("bert.")] = tensor


def foretelling(weights: dict[str, Any]) -> None:
    """A BertForMaskedLM's: another head, and no pooler."""
    for name in [name for name in weights if "pooler" in name or name.startswith("classifier")]:
        del weights[name]
    weights["cls.predictions.transform.dense.weight"] = torch.zeros(32, 32)


def of_three_classes(weights: dict[str, Any]) -> None:
    weights["classifier.weight"], weights["classifier.bias"] = torch.zeros(3, 32), torch.zeros(3)


KINDS = {
    "an encoder": (bare, "BertModel"),
    "one that foretells words": (foretelling, "BertForMaskedLM"),
    "a classifier of three classes": (of_three_classes, "BertForSequenceClassification"),
    "a classifier of as many": (lambda _: None, "BertForSequenceClassification"),
}


@pytest.fixture(params=KINDS)
def pretrained(request, tmp_path) -> Path:
    folder = save_folder("bert", tmp_path / "model")
    change, named = KINDS[request.param]
    reweigh(folder, change)
    edit(folder, architectures=[named])
    return folder


def encoder(file: Path) -> dict[str, torch.Tensor]:
    """The embeddings and layers in a file, by their names inside of the encoder."""
    found = {name.removeprefix("bert."): tensor for name, tensor in load_file(file).items()}
    return {name: tensor for name, tensor in found.items() if name.startswith(("embeddings", "encoder"))}


def test_it_begins_with_its_own_weights_and_a_new_head_and_learns(pretrained, tmp_path):
    facts = prepare("m", spec(train=TRAIN | {"steps": 60}), tmp_path / "out", data_dir=tmp_path, threads=1)
    begun, before = encoder(tmp_path / "out" / "beginning.safetensors"), encoder(pretrained / "model.safetensors")
    assert begun.keys() == before.keys() and all(torch.equal(begun[name], before[name]) for name in begun)
    head = load_file(tmp_path / "out" / "beginning.safetensors")["classifier.weight"]
    assert head.shape[0] == 2 and 0 < head.abs().max() < 0.2
    losses = [point["loss"] for point in facts["loss_curve"]]
    assert sum(losses[:10]) > sum(losses[-10:])
    made = load_prepared(tmp_path / "out", tmp_path)
    assert made.model.config.id2label == {0: "dogs", 1: "cats"} and made.model.dtype == torch.float32
    trained = encoder(tmp_path / "out" / "model" / "model.safetensors")
    assert not all(torch.equal(trained[name], before[name]) for name in before)


def test_the_head_is_the_same_for_the_same_seed_whatever_it_replaces(tmp_path):
    heads = []
    for change, named in KINDS.values():
        place = tmp_path / str(len(heads))
        folder = save_folder("bert", place / "model")
        reweigh(folder, change)
        edit(folder, architectures=[named])
        prepare("m", spec(train=TRAIN | {"steps": 1}), place / "out", data_dir=place, threads=1)
        heads.append(load_file(place / "out" / "beginning.safetensors")["classifier.weight"])
    assert all(torch.equal(head, heads[0]) for head in heads)


def test_training_is_the_same_twice(tmp_path):
    save_folder("bert", tmp_path / "model")
    for place in ("one", "two"):
        prepare("m", spec(), tmp_path / place, data_dir=tmp_path, threads=1)
    facts = [json.loads((tmp_path / place / "prepare.json").read_text()) for place in ("one", "two")]
    assert facts[0] == facts[1] and "beginning.safetensors" in facts[0]["files"]


def test_from_scratch_is_from_where_its_training_began(tmp_path):
    folder = save_folder("bert", tmp_path / "model")
    prepare("m", spec(), tmp_path / "out", data_dir=tmp_path, threads=1)
    recover = Recover.model_validate({"steps": 2, "batch": 4, "learning_rate": 0.001})
    lessons = Bench(tmp_path / "out").lessons(recover)
    assert lessons.scratch is not None and lessons.scratch.steps == 12 and lessons.fresh is not None
    begun = {name.removeprefix("bert."): one for name, one in lessons.fresh().state_dict().items()}
    assert all(torch.equal(begun[name], one) for name, one in encoder(folder / "model.safetensors").items())
    with chdir(tmp_path):
        lessons = Bench(Path("out")).lessons(recover)
    with chdir(folder):  # as a method is at work in an empty folder
        assert lessons.fresh().config.num_labels == 2
    (tmp_path / "out" / "beginning.safetensors").unlink()
    with pytest.raises(UserError, match=r"beginning\.safetensors cannot be read.*Run `dvc repro prepare@out`"):
        lessons.fresh()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("bert.encoder.layer.1.output.dense.weight"), "lacks weights"),
        (lambda weights: weights.update({"bert.encoder.layer.7.x": torch.zeros(1)}), "has weights that no model"),
        (lambda weights: weights.update({"bert.embeddings.LayerNorm.bias": torch.zeros(3)}), "of another shape"),
    ],
)
def test_any_other_weight_that_is_missing_or_left_over_is_refused(tmp_path, change, message):
    reweigh(save_folder("bert", tmp_path / "model"), change)
    with pytest.raises(UserError, match=message):
        prepare("m", spec(), tmp_path / "out", data_dir=tmp_path, threads=1)
    assert not (tmp_path / "out").exists()


def test_it_is_known_before_anything_runs(tmp_path):
    folder = save_folder("bert", tmp_path / "model")
    reweigh(folder, bare)
    edit(folder, architectures=["BertModel"])
    found = troubles(load_spec("m", spec()), [load_task("named")], "params.yaml: models.m", tmp_path)
    assert found == []
    untrained = {key: value for key, value in spec().items() if key != "train"}
    (said,) = troubles(load_spec("m", untrained), [load_task("named")], "params.yaml: models.m", tmp_path)
    assert "a head for classification is needed, and that class has none" in said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"tokenizer": {"kind": "bpe", "size": 300}},
            "tokenizer.kind is 'bpe'; a pretrained model brings its tokenizer",
        ),
        ({"classes": ["dogs", "cats"]}, "classes: a model that is trained here has those of its task"),
    ],
)
def test_what_is_not_asked_of_a_pretrained_model_is_refused(changed, message):
    with pytest.raises(UserError) as refused:
        load_spec("m", spec() | changed)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("task", "train", "message"),
    [
        ("toy-classification", TRAIN, "tasks/toy-classification.yaml: classes: this key is missing, and a new head"),
        ("named", TRAIN | {"length": 4000}, "models.m.train.length is 4000"),
    ],
)
def test_what_does_not_fit_its_task_is_said(tmp_path, task, train, message):
    save_folder("bert", tmp_path / "model")
    found = troubles(load_spec("m", spec(task, train=train)), [load_task(task)], "params.yaml: models.m", tmp_path)
    assert any(message in said for said in found), found


def test_a_language_model_goes_on_with_every_weight_and_its_own_start(tmp_path):
    folder = save_folder("llama", tmp_path / "model")
    prepare("m", spec("toy-language"), tmp_path / "out", data_dir=tmp_path, threads=1)
    begun, before = load_file(tmp_path / "out" / "beginning.safetensors"), load_file(folder / "model.safetensors")
    assert all(torch.equal(begun[name], before[name]) for name in before if name in begun)
    made = load_prepared(tmp_path / "out", tmp_path)
    assert made.contract.trained_here is False
