"""A stored thing is taken for what it holds and not for what it is called: models, data, weights and answers."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

from headroom import attention
from headroom.config.params import load
from headroom.errors import UserError
from headroom.pipeline import inputs
from headroom.pipeline.journal import Journal
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.prepare import prepare
from headroom.training.lessons import keep, take


def turn_round(path):
    """Swap two words of a vocabulary: every text then reads otherwise, and the weights are the same."""
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    one, other = [word for word in vocabulary if word.isalpha()][:2]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    path.write_text(json.dumps(content))


def blunt(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"layer_norm_eps": 5.0}))


CHANGES = {
    "model/tokenizer.json": turn_round,
    "model/config.json": blunt,
    "model/generation_config.json": lambda path: path.write_text("{}"),
    "data/toy-classification/evaluate.parquet": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "model/model.safetensors": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_prepared_model_that_was_changed_is_not_measured_and_is_made_again(world, name):
    run = ModelRun(world.loaded, "params.yaml", "bert-toy")
    run.refuse_changes()
    CHANGES[name](run.folder / name)
    with pytest.raises(UserError, match=rf"{name} has (changed|come|gone) since it was prepared. Run `dvc repro prep"):
        world.measure()
    prepare("bert-toy", world.loaded.models["bert-toy"], run.folder, threads=1)
    ModelRun(world.loaded, "params.yaml", "bert-toy").refuse_changes()


@pytest.fixture
def elsewhere(world, monkeypatch):
    """The toy model as one that comes from a folder of its user."""
    monkeypatch.setenv("HEADROOM_DATA", str(world.folder))
    shutil.copytree(world.folder / "work/test/models/bert-toy/model", world.folder / "mine")
    text = world.params.read_text()
    start, end = text.index("    source:"), text.index("    tasks:")
    text = text[:start] + "    source: {folder: mine}\n" + text[end:]
    world.params.write_text(text.replace("    train: {steps: 60", "    # train: {steps: 60"))
    return world


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_what_stands_beside_the_weights_of_a_pretrained_model_changes_every_key(elsewhere, name):
    def made():
        params = load(elsewhere.params)
        inputs.note(params)
        noted = (params.work / "inputs" / "bert-toy.json").read_text()
        prepare("bert-toy", params.models["bert-toy"], params.model_folder("bert-toy"), threads=1)
        return noted, ModelRun(params, "params.yaml", "bert-toy").base

    first, again = made(), made()
    assert first == again
    CHANGES[f"model/{name}"](elsewhere.folder / "mine" / name)
    changed = made()
    assert changed[0] != first[0], "DVC runs `prepare` again"
    assert changed[1] != first[1], "no answer of the model before is taken for one of this model"


def test_answers_of_another_question_are_not_taken(tmp_path):
    journal = Journal(tmp_path)
    one, other = (journal.path("answers", {"drop": drop}) for drop in ("a", "b"))
    journal.write(one, {"value": 1})
    journal.write(other, {"value": 2})
    shutil.copy(one, other)
    assert journal.read(one) == {"value": 1}
    assert journal.read(other) is None and not other.exists()


def test_a_damaged_answer_is_forgotten_or_whole_and_never_an_error(tmp_path):
    """Every kind of damage at 1,500 places: bytes changed, cut, doubled."""
    journal, chance = Journal(tmp_path), random.Random(0)
    path = journal.path("answers", {"drop": "a"})
    answer = {"value": 1.5, "stats:task": np.arange(40.0), "note": "é"}
    journal.write(path, answer)
    good = path.read_bytes()
    for _ in range(1500):
        at, bad = chance.randrange(len(good)), bytearray(good)
        match chance.randrange(4):
            case 0:
                bad[at] = chance.randrange(256)
            case 1:
                bad[at : at + 8] = chance.randbytes(8)
            case 2:
                del bad[at:]
            case 3:
                bad[at:at] = bad[at : at + 16]
        path.write_bytes(bad)
        found = journal.read(path)
        if found is not None:
            assert (found["value"], found["note"]) == (1.5, "é") and (found["stats:task"] == answer["stats:task"]).all()


def test_kept_weights_that_were_changed_are_not_used(tmp_path):
    model = attention.toy("bert")
    path = keep(model, tmp_path)
    take(model, path)
    bad = bytearray(path.read_bytes())
    bad[-1] ^= 1
    path.write_bytes(bad)
    with pytest.raises(UserError, match="is damaged, or was changed"):
        take(model, path)
