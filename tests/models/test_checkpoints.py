"""Weights on the way: ``train.checkpoints`` keeps them, and they are what a shorter look at the same training has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from headroom.config.model_spec import load_spec
from headroom.config.params import load
from headroom.errors import UserError
from headroom.models.checkpoints import at_step, file_of
from headroom.pipeline.model_run import ModelRun, changes
from headroom.pipeline.prepare import prepare

CONFIG = {
    "family": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
REST = {"max_position_embeddings": 64, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 2}
TRAIN = {"steps": 12, "batch": 8, "learning_rate": 0.005, "length": 32, "schedule": "constant"}


def spec(**train):
    return {
        "source": {"config": CONFIG | REST},
        "tokenizer": {"kind": "wordpiece", "size": 64},
        "tasks": ["toy-classification"],
        "train": TRAIN | train,
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "toy"
    prepare("toy", spec(checkpoints=[3, 8]), folder, threads=1)
    return folder


def test_weights_are_kept_after_the_steps_that_are_named(kept, tmp_path):
    """At a constant rate the first eight steps are a training of eight steps."""
    assert sorted(path.name for path in (kept / "checkpoints").iterdir()) == [
        "step-3.safetensors",
        "step-8.safetensors",
    ]
    prepare("toy", spec(steps=8), tmp_path / "toy", threads=1)
    shorter, then = load_file(tmp_path / "toy" / "model" / "model.safetensors"), load_file(kept / file_of(8))
    assert then.keys() >= shorter.keys() and all(torch.equal(then[name], shorter[name]) for name in shorter)
    assert any(not torch.equal(then[name], one) for name, one in load_file(kept / file_of(3)).items())


def test_keeping_them_changes_nothing_of_the_model(kept, tmp_path):
    prepare("toy", spec(), tmp_path / "toy", threads=1)
    facts = [json.loads((folder / "prepare.json").read_text()) for folder in (kept, tmp_path / "toy")]
    assert facts[0]["weight_hash"] == facts[1]["weight_hash"] and facts[0]["recipe"] != facts[1]["recipe"]
    assert "checkpoints/step-3.safetensors" in facts[0]["files"] and not (tmp_path / "toy" / "checkpoints").exists()


def test_a_checkpoint_that_changed_is_noticed(kept, tmp_path):
    facts = json.loads((kept / "prepare.json").read_text())
    assert not changes(kept, facts, None)
    file, whole = kept / file_of(3), (kept / file_of(3)).read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        assert "step-3.safetensors" in changes(kept, facts, None)
    finally:
        file.write_bytes(whole)


def test_a_model_is_put_back_to_a_step_and_stays_as_it_was_itself(kept):
    from headroom.models.loading import load_prepared

    model = load_prepared(kept).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    early = at_step(model, kept, 3).state_dict()
    assert all(torch.equal(early[name], value) for name, value in load_file(kept / file_of(3)).items())
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    with pytest.raises(UserError, match=r"step-4\.safetensors cannot be read.*Run `dvc repro prepare@toy`"):
        at_step(model, kept, 4)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([8, 3], "steps must rise"),
        ([3, 3], "steps must rise"),
        ([0, 3], "greater than or equal to 1"),
        ([3, 12], "the training has 12 steps"),
        ([0.5], "train.checkpoints"),
    ],
)
def test_steps_that_the_training_has_not_are_refused(steps, said):
    with pytest.raises(UserError, match=said) as refused:
        load_spec("toy", spec(checkpoints=steps))
    assert "models.toy: train.checkpoints" in str(refused.value)


def test_what_is_measured_of_the_model_does_not_hang_on_them(kept, tmp_path, monkeypatch):
    """Naming another checkpoint trains the model again, to the same weights, and measures nothing again."""
    written = "profile: t\nresults: r\nwork: w\nsite: s\nrun: {targets: [0.5]}\nspeed: {targets: [], works: {}}\n"
    (tmp_path / "params.yaml").write_text(
        written + f"methods: {{dense: {{}}}}\nmodels: {json.dumps({'toy': spec()})}\n"
    )
    params = load(tmp_path / "params.yaml")
    monkeypatch.setattr(type(params), "model_folder", lambda self, name: kept)
    run = ModelRun(params, "params.yaml", "toy")
    base = run.base
    other = ModelRun(params, "params.yaml", "toy")
    other.facts = json.loads(json.dumps(other.facts))
    other.facts["spec"]["train"]["checkpoints"] = [5]
    assert other.base == base
    other.facts["spec"]["train"]["batch"] = 9
    del other.__dict__["spec"], other.__dict__["base"]
    assert other.base != base
