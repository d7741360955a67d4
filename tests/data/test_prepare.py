"""Prepared models are whole or not there, the same twice, and say what they are."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from headroom import attention
from headroom.config.model_spec import load_spec
from headroom.data.batches import batches, per_example_loss
from headroom.data.loading import read_split
from headroom.errors import UserError
from headroom.models.loading import build, load_prepared
from headroom.models.sources import Source
from headroom.pipeline.prepare import prepare

TOYS = {
    "mt": {
        "source": {
            "config": {"family": "m2m_100", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
            | {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
            | {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64}
        },
        "tokenizer": {"kind": "word", "size": 64},
        "tasks": ["toy-translation"],
    },
    "lm": {
        "source": {
            "config": {"family": "llama", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
            | {"num_attention_heads": 2, "num_key_value_heads": 1}
        },
        "tokenizer": {"kind": "bpe", "size": 300},
        "tasks": ["toy-language", "toy-cloze"],
    },
    "bert": {
        "source": {
            "config": {"family": "bert", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
            | {"num_attention_heads": 2, "num_labels": 2}
        },
        "tokenizer": {"kind": "wordpiece", "size": 64},
        "tasks": ["toy-classification"],
    },
    "vit": {
        "source": {
            "config": {"family": "vit", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
            | {"num_attention_heads": 2, "image_size": 8, "patch_size": 4, "num_channels": 1, "num_labels": 4}
        },
        "image": {"mean": 0.5, "std": 0.5},
        "tasks": ["toy-images"],
    },
}
CHANCE = {"mt": (0, 0), "lm": (0.5, 4), "bert": (50, 70), "vit": (25, 50)}


def entry(name: str, steps: int = 3) -> dict:
    return TOYS[name] | {"train": {"steps": steps, "batch": 8, "learning_rate": 0.01, "length": 32}}


@pytest.mark.parametrize("name", TOYS)
def test_a_prepared_model_is_whole_and_the_same_twice(name, tmp_path):
    facts = [prepare(name, entry(name), tmp_path / place, threads=1) for place in ("one", "two")]
    assert facts[0] == facts[1]
    for file in sorted((tmp_path / "one").rglob("*")):
        twin = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert file.is_dir() or file.name == "cost.json" or file.read_bytes() == twin.read_bytes(), file
    prepared = load_prepared(tmp_path / "one")
    task = prepared.spec.tasks[0]
    low, high = CHANCE[name]
    assert low <= facts[0]["tasks"][task]["metric"]["chance"] <= high
    evaluate = read_split(prepared.folder, task, "evaluate")
    batch = next(batches(evaluate, prepared.collator, 4))
    assert torch.isfinite(per_example_loss(prepared.model, batch)).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_questions_alone_train_a_tokenizer_and_count_as_what_was_seen(tmp_path):
    """Of each question the text with its right answer, as the model is trained on it."""
    asked = entry("lm") | {"tasks": ["toy-cloze", "toy-language"]}
    facts = prepare("lm", asked, tmp_path / "lm", threads=1)
    assert 0.5 < facts["tasks"]["toy-language"]["metric"]["chance"] < 4
    pieces = load_prepared(tmp_path / "lm").tokenizer.tokenize("cats say miau")
    assert len(pieces) < 6  # words of question and answer, and not letters


def test_a_label_out_of_the_models_classes_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("headroom.pipeline.making.fit", lambda *_, **__: pytest.fail("trained"))
    few = entry("vit")
    few["source"] = {"config": few["source"]["config"] | {"num_labels": 3}}
    with pytest.raises(UserError) as caught:
        prepare("vit", few, tmp_path / "vit", threads=1)
    said = str(caught.value)
    assert "tasks/toy-images.yaml: splits.train: example" in said and "has the label 3" in said
    assert "the classes 0 to 2 (source.config.num_labels is 3)" in said
    assert not list(tmp_path.iterdir())


def test_a_model_of_the_same_recipe_is_left_alone_and_of_another_one_made_again(tmp_path):
    facts = prepare("vit", entry("vit"), tmp_path / "vit", threads=1)
    weights = tmp_path / "vit" / "model" / "model.safetensors"
    made = weights.stat().st_mtime_ns
    assert prepare("vit", entry("vit"), tmp_path / "vit", threads=1) == facts
    assert weights.stat().st_mtime_ns == made
    again = prepare("vit", entry("vit", steps=4), tmp_path / "vit", threads=1)
    assert again["weight_hash"] != facts["weight_hash"] and weights.stat().st_mtime_ns > made


def test_what_a_recipe_is_made_of(tmp_path, monkeypatch):
    """Besides the spec: threads, code and versions of libraries; and not where the model lies."""
    first = prepare("vit", entry("vit"), tmp_path / "one", threads=1)["recipe"]
    assert prepare("vit", entry("vit"), tmp_path / "two", threads=1)["recipe"] == first
    others = [prepare("vit", entry("vit"), tmp_path / "one", threads=2)["recipe"]]
    monkeypatch.setattr("headroom.pipeline.prepare._versions", lambda: {"torch": "another"})
    others.append(prepare("vit", entry("vit"), tmp_path / "one", threads=1)["recipe"])
    monkeypatch.undo()
    monkeypatch.setattr("headroom.pipeline.engine.PREPARED", ("headroom/units.py",))
    others.append(prepare("vit", entry("vit"), tmp_path / "one", threads=1)["recipe"])
    assert len({first, *others}) == 4


@pytest.mark.slow
def test_a_killed_prepare_leaves_nothing_that_looks_finished(tmp_path):
    code = (
        "import json, sys; from pathlib import Path; from headroom.pipeline.prepare import prepare\n"
        "prepare('vit', json.loads(sys.argv[1]), Path(sys.argv[2]), threads=1)"
    )
    command = [sys.executable, "-c", code, json.dumps(entry("vit", steps=100_000)), str(tmp_path / "vit")]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})
    draft = tmp_path / ".vit.draft"
    deadline = time.monotonic() + 60
    while not draft.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert draft.exists()
    with pytest.raises(UserError, match="no prepared model"):
        load_prepared(tmp_path / "vit")
    prepare("vit", entry("vit"), tmp_path / "vit", threads=1)
    assert [path.name for path in tmp_path.iterdir()] == ["vit"]


def test_a_failed_prepare_keeps_the_one_before(tmp_path):
    prepare("vit", entry("vit"), tmp_path / "vit", threads=1)
    before = (tmp_path / "vit" / "prepare.json").read_bytes()
    wrong = entry("vit") | {"train": {"steps": 3, "batch": 8, "learning_rate": 100, "weight_decay": 1e30}}
    with pytest.raises(RuntimeError, match="at step"):
        prepare("vit", wrong, tmp_path / "vit", threads=1)
    assert (tmp_path / "vit" / "prepare.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["vit"]


def test_a_damaged_weight_file_is_named(tmp_path):
    prepare("vit", entry("vit"), tmp_path / "vit", threads=1)
    weights = tmp_path / "vit" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors is corrupt"):
        load_prepared(tmp_path / "vit")


def test_weights_that_could_run_code_are_refused(tmp_path):
    attention.toy("llama").config.save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"no \*\.safetensors"):
        Source(tmp_path).model("language")


def test_a_local_model_without_its_folder_says_what_to_set(monkeypatch):
    monkeypatch.delenv("HEADROOM_DATA", raising=False)
    spec = load_spec("mine", {"source": {"folder": "models/none"}, "tasks": ["toy-language"]})
    with pytest.raises(UserError, match="HEADROOM_DATA"):
        build(spec)


@pytest.mark.parametrize(
    ("config", "words"),
    [({"family": "brt"}, "Did you mean 'bert'"), ({"family": "bert", "hiden_size": 4}, "Did you mean 'hidden_size'")],
)
def test_a_wrong_config_names_the_near_match(config, words):
    with pytest.raises(UserError, match=words):
        build(load_spec("mine", entry("bert") | {"source": {"config": config}}))


def test_an_offline_hub_model_says_which_folder_to_set():
    code = (
        "from headroom.config.model_spec import load_spec\nfrom headroom.models.loading import build\n"
        "build(load_spec('m', {'source': {'hub': 'nobody/nothing', 'revision': '0' * 40}, 'tasks': ['toy-language']}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    ).stderr
    assert "UserError" in said
    assert "HF_HOME" in said
    assert "HEADROOM_DATA" in said


def test_tasks_of_one_model_ask_for_one_kind_of_model():
    with pytest.raises(UserError, match="one kind of model"):
        build(load_spec("mine", entry("bert") | {"tasks": ["toy-classification", "toy-images"]}))


def test_a_config_with_a_value_of_another_type_is_named(tmp_path):
    attention.toy("bert").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 5}))
    with pytest.raises(UserError, match=r"config\.json cannot be read:.*'layer_norm_eps'"):
        Source(tmp_path).model("classification")
