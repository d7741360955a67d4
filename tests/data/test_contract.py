"""A contract says in words what a model is told of its input, and every sentence about what does not fit."""

import pandas
import pytest
import yaml
from contract_helpers import CLASSIFIERS, classifier, task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_kinds import KINDS, SPECIAL, tokenizer
from translator_kinds import mbart, size

from headroom.attention import toy
from headroom.config.model_spec import ImageSpec
from headroom.data.batches import per_example_loss
from headroom.data.contract import Contract
from headroom.data.processors import made_processor
from headroom.data.text import SEGMENTS
from headroom.errors import UserError
from headroom.models.loading import load_prepared
from headroom.pipeline.prepare import prepare

MARKS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TRAIN = {"steps": 2, "batch": 4, "learning_rate": 0.01, "length": 16}


def test_a_classifier_of_pairs_in_words():
    reader = tokenizer("words", "both")
    reader.model_input_names = ["input_ids", SEGMENTS, "attention_mask"]
    model = classifier("bert", id2label={0: "no", 1: "yes"}, label2id={"no": 0, "yes": 1}, **MARKS)
    pair = task("classification", columns={"text": ["question", "passage"]}, classes=["yes", "no"])
    assert Contract.of(model, reader, length=60).stated(pair) == {
        "task": "mine, version 1: classification",
        "tokenizer": "TokenizersBackend, at most 60 tokens",
        "padding": "'<pad>' behind each text",
        "parts": "two, joined by the tokenizer, with segments",
        "classes": "yes, no; matched by name with the model's no, yes",
    }


def test_an_encoder_decoder_that_classifies_in_words():
    contract = Contract.of(classifier("bart", num_labels=2, **MARKS), tokenizer("words", "both"))
    said = contract.stated(task("classification"))
    assert said["end"] == "it classifies at '</s>'" and said["parts"] == "one"
    assert said["classes"] == "2 by number; neither the task nor the model names them"


def test_a_translator_in_words():
    reader = mbart()
    model = toy("mbart", vocab_size=size(reader), pad_token_id=reader.pad_token_id, eos_token_id=reader.eos_token_id)
    said = Contract.of(model, reader).stated(task("translation", languages={"source": "en", "target": "de"}))
    assert said == {
        "task": "mine, version 1: translation",
        "tokenizer": "MBartTokenizer, at most 128 tokens",
        "padding": "'<pad>' behind each text",
        "end": "'</s>' behind a translation",
        "languages": "en_XX to de_DE, the first token of a translation is forced",
    }


def test_a_language_model_in_words():
    contract = Contract.of(toy("gemma", vocab_size=300), tokenizer("words", "start"), length=32)
    assert contract.stated(task("bits-per-byte")) == {
        "task": "mine, version 1: bits-per-byte",
        "tokenizer": "TokenizersBackend, at most 32 tokens",
        "start": "'<s>' before every window",
    }
    asked = contract.stated(task("multiple-choice", calibration="context"))
    assert asked["calibration"] == "context"
    assert contract.stated(task("multiple-choice"))["calibration"] == "context and right choice"
    assert contract.stated(task("continuation"))["calibration"] == "context and continuation"


def test_a_model_of_images_in_words():
    model = toy("vit")
    contract = Contract.of(model, made_processor(ImageSpec(mean=0.5, std=0.5), model.config))
    said = contract.stated(task("image-classification"))
    assert list(said) == ["task", "image", "classes"] and "16" in said["image"]


def test_every_part_that_does_not_fit_is_said_at_once():
    reader = tokenizer("words", pad_token="<unk>")
    model = classifier("bert", id2label={0: "no", 1: "yes"}, label2id={"no": 0, "yes": 1}, **MARKS)
    wrong = task("classification", classes=["no", "maybe"])
    padding, classes = Contract.of(model, reader, where="my/model").troubles(wrong)
    assert padding.startswith("my/model: the tokenizer pads with '<unk>'")
    assert classes.startswith("tasks/mine.yaml: classes has 'maybe', and my/model knows no, yes")
    with pytest.raises(UserError, match="pads with"):
        Contract.of(model, reader).collator(wrong)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_has_no_trouble_makes_batches_and_is_stated(data):
    """Any family, tokenizer, marks and names: sentences, or a loss of every example."""
    marks = {f"{mark}_token": data.draw(st.sampled_from([None, *SPECIAL]), mark) for mark in ("pad", "bos", "eos")}
    reader = tokenizer(*data.draw(st.sampled_from(KINDS)), **marks)
    if data.draw(st.booleans()):
        reader.model_input_names = ["input_ids", SEGMENTS, "attention_mask"]
    model = classifier(data.draw(st.sampled_from(sorted(CLASSIFIERS))), **MARKS, num_labels=2)
    if data.draw(st.booleans()):
        model.config.id2label = {0: "no", 1: "yes"}
    columns = data.draw(st.sampled_from([{}, {"text": ["one", "two"]}]))
    wanted = task(
        "classification", columns=columns, classes=data.draw(st.sampled_from([None, ["yes", "no"], ["a", "b"]]))
    )
    contract = Contract.of(model, reader)
    if found := contract.troubles(wanted):
        assert all(said.endswith(".") for said in found)
        return
    rows = [{"text": text, "label": label} for text, label in (("the cat", 0), ("it is a dog", 1))]
    batch = contract.collator(wanted)([row | ({"pair": "no"} if columns else {}) for row in rows])
    assert per_example_loss(model, batch).isfinite().all()
    assert batch["labels"].tolist() == ([1, 0] if "by name" in contract.stated(wanted)["classes"] else [0, 1])


def project(tmp_path, monkeypatch, **keys):
    """A task of pairs with its data, and the folder that holds the data."""
    rows = [{"one": f"the {a} is {b}", "two": f"a {b}", "label": ["no", "yes"][a == b]} for a in "abc" for b in "abcd"]
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for split, part in {"train": rows, "calibrate": rows[::3], "evaluate": rows[1::3]}.items():
        pandas.DataFrame([row | {"one": f"{split} {row['one']}"} for row in part]).to_parquet(
            tmp_path / f"{split}.parquet"
        )
    made = task("classification", columns={"text": ["one", "two"]}, classes=["no", "yes"], **keys).model_dump(
        mode="json"
    )
    made |= {"data": {"folder": {split: f"{split}.parquet" for split in ("train", "calibrate", "evaluate")}}}
    made["splits"] = {split: split for split in ("train", "calibrate", "evaluate")}
    kept = {key: value for key, value in made.items() if value is not None}
    (tasks / "mine.yaml").write_text(yaml.safe_dump(kept))
    monkeypatch.setattr("headroom.config.tasks.tasks_folder", lambda: tasks)
    return tmp_path


@pytest.mark.parametrize(("family", "kind", "said"), [("bert", "wordpiece", "with"), ("gpt2", "wordpiece", "without")])
def test_a_model_trained_here_on_pairs(family, kind, said, tmp_path, monkeypatch):
    """Its tokenizer tells the parts apart where it has embeddings of them; classes go by the task's names."""
    folder = project(tmp_path, monkeypatch)
    shape = {"bert": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}}
    shape["gpt2"] = {"n_embd": 16, "n_layer": 1, "n_head": 2}
    entry = {
        "source": {"config": {"family": family, "num_labels": 2} | shape[family]},
        "tasks": ["mine"],
        "train": TRAIN,
    }
    facts = prepare("m", entry | {"tokenizer": {"kind": kind, "size": 80}}, tmp_path / "m", folder, threads=1)
    stated = facts["tasks"]["mine"]["contract"]
    assert stated["parts"] == f"two, joined by the tokenizer, {said} segments"
    assert stated["classes"] == "no, yes; matched by name with the model's no, yes"
    prepared = load_prepared(tmp_path / "m")
    batch = prepared.collator([{"text": "the a", "pair": "a b", "label": 1}])
    assert (SEGMENTS in batch) == (said == "with") and batch["labels"].tolist() == [1]
    assert prepared.model.config.label2id == {"no": 0, "yes": 1}
