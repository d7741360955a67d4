"""`headroom.prune`: a model in memory stays as it is, and a smaller one comes back with what it keeps and costs."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest
import torch
from small_models import LABELLED, PAIRS, TEXTS, pair_of

import headroom
from headroom import attention
from headroom.errors import UserError
from headroom.pruning.live import NothingFound
from headroom.pruning.trials import Timing
from headroom.shipping import Loaded


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path_factory):
    """Nothing is timed, and folders are not loaded by others again: both are tested elsewhere."""
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr("headroom.pruning.measuring.Bench.timing", lambda *_: Timing(1.1, 1.0, 1.2, 2.0, 1.8))
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))


def state(model):
    """All that a caller can see of a model."""
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [module.training for module in model.modules()],
        copy.deepcopy(model.config.to_dict()),
        model.config._attn_implementation,
        [weight.grad for weight in model.parameters()],
        [weight.requires_grad for weight in model.parameters()],
    )


def test_import_is_light_and_knows_prune():
    code = "import sys, headroom; print({'torch', 'numpy', 'pandas', 'typer'} & {*sys.modules}, headroom.__all__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert said == "set() ['prune']\n" and callable(headroom.prune)
    with pytest.raises(AttributeError, match="no attribute 'prnue'"):
        headroom.prnue  # noqa: B018


@pytest.mark.parametrize(
    ("family", "method", "data", "task"),
    [
        ("bert", "michel-greedy", LABELLED, "accuracy"),
        ("llama", "layer-similarity", TEXTS, "bits-per-byte"),
        ("m2m_100", "michel-greedy", PAIRS, "bleu"),
    ],
)
def test_a_smaller_model_and_its_report_come_back_and_the_model_stays(family, method, data, task):
    model, tokenizer = pair_of(family)
    model.train()
    model.base_model.eval()  # as people leave them
    before, rng, threads = state(model), torch.random.get_rng_state(), torch.get_num_threads()
    smaller, report = headroom.prune(model, method, 0.5, data, tokenizer=tokenizer, examples=12, threads=1)
    after = state(model)
    assert all(torch.equal(before[0][name], value) for name, value in after[0].items())
    assert before[1:] == after[1:] and torch.equal(rng, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
    assert smaller.num_parameters() == report.smaller.parameters < report.dense.parameters == model.num_parameters()
    assert set(map(str, attention.removed_units(smaller))) == set(report.removed)
    assert report.share == pytest.approx(0.5, abs=0.13) and not smaller.training
    assert report.quality.examples == 12 and report.quality.low <= report.quality.value <= report.quality.high
    assert report.logit_difference < 1e-4 and report.seconds > 0 and task in str(report)


def test_the_smaller_model_has_tensors_of_its_own():
    model, _ = pair_of("bert")
    smaller = headroom.prune(model, "magnitude-heads", 0.5).model
    theirs = {weight.data_ptr() for weight in model.parameters()}
    assert not theirs & {weight.data_ptr() for weight in smaller.parameters()}


def test_what_was_found_learns_again_and_is_what_is_saved(tmp_path):
    model, tokenizer = pair_of("bert")
    before = state(model)[0]
    options = {"tokenizer": tokenizer, "examples": 12, "heal": 2, "heal_rate": 1e-3, "threads": 1}
    result = headroom.prune(model, "magnitude-heads", 0.5, LABELLED, **options)
    bare = headroom.prune(model, "magnitude-heads", 0.5, LABELLED, **options | {"heal": None, "heal_rate": None})
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    name = "classifier.weight"
    assert not torch.equal(result.model.state_dict()[name], bare.model.state_dict()[name])
    assert result.report.healed.steps == 2 and result.report.quality == result.report.healed.after
    assert result.report.logit_difference == bare.report.logit_difference, "of what has not learned"
    result.save(tmp_path / "small")
    again = attention.load_removed(tmp_path / "small")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in result.model.state_dict().items())
    said = (tmp_path / "small" / "README.md").read_text()
    assert "heal=2, heal_rate=0.001" in said and "fine-tuned for 2 steps" in said


def test_a_budget_is_searched_and_what_cannot_be_met_is_an_error_with_the_nearest():
    model, _ = pair_of("bert")
    limit = model.num_parameters() - 1500
    report = headroom.prune(model, "magnitude-heads", max_parameters=limit).report
    assert report.smaller.parameters <= limit and len(report.removed) == 2 and report.tried
    with pytest.raises(NothingFound, match="parameters are more than 100"):
        headroom.prune(model, "magnitude-heads", max_parameters="100")


def test_a_table_of_datasets_and_a_file_do_as_well(tmp_path):
    from datasets import Dataset

    model, tokenizer = pair_of("bert")
    rows = [{"words": text, "mood": f"LABEL_{label}"} for text, label in LABELLED]
    table = Dataset.from_list(rows)
    columns = {"text": "words", "label": "mood"}
    one = headroom.prune(model, "magnitude-heads", 0.5, table, tokenizer=tokenizer, columns=columns).report
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    file = tmp_path / "mine.jsonl"
    other = headroom.prune(model, "magnitude-heads", 0.5, file, tokenizer=tokenizer, columns=columns).report
    assert (one.task, other.task) == ("data", "mine") and one.quality == other.quality


def test_images_come_as_a_table(monkeypatch):
    from datasets import Dataset
    from PIL import Image
    from transformers import ViTImageProcessor

    model = attention.toy("vit")
    images = [Image.new("RGB", (16, 16), (7 * n, n, 90)) for n in range(24)]
    data = Dataset.from_dict({"image": images, "label": [n % 3 for n in range(24)]})
    processor = ViTImageProcessor(size={"height": 16, "width": 16})
    report = headroom.prune(model, "michel-greedy", 0.25, data, processor=processor).report
    assert report.quality is not None and len(report.removed) == 3
    with pytest.raises(UserError, match="processor is missing"):
        headroom.prune(model, "michel-greedy", 0.25, data)


def test_what_is_saved_is_the_same_model_and_a_changed_one_is_refused(tmp_path):
    model, tokenizer = pair_of("bert")
    result = headroom.prune(model, "magnitude-heads", 0.5, LABELLED, tokenizer=tokenizer, examples=8)
    shipped = result.save(tmp_path / "small")
    assert shipped.kind == "code" and (tmp_path / "small" / "tokenizer.json").is_file()
    again = attention.load_removed(tmp_path / "small")
    batch = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")
    assert torch.equal(again(**batch).logits, result.model(**batch).logits)
    report = json.loads((tmp_path / "small" / "headroom.json").read_text())
    assert report["found"]["removed"] == list(result.report.removed)
    with pytest.raises(UserError, match=r"^out .*is there already and not empty"):
        result.save(tmp_path / "small")
    with pytest.raises(UserError, match=r"^format is 'stck'"):
        result.save(tmp_path / "other", format="stck")
    with torch.no_grad():
        next(result.model.parameters()).add_(1)
    with pytest.raises(UserError, match="was changed after they were measured"):
        result.save(tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "a name"}, "model is a str; wanted a model of transformers"),
        ({"method": "michel-greedi"}, "^method michel-greedi.*Did you mean 'michel-greedy'?"),
        ({}, "needs calibration examples. Give data: the name of a task, or examples of your own"),
        ({"target": 1.5}, "^target is 1.5"),
        ({"target": None}, "how small the model has to be is not said.*max_loss 1%"),
        ({"target": None, "max_loss": -1}, "^max_loss is '-1'"),
        ({"target": None, "max_kv": 100, "method": "magnitude-heads"}, "^max_kv: a model for classification keeps no"),
        ({"method": "magnitude-heads", "parameters": {"scop": "site"}}, "Did you mean 'scope'?"),
        ({"threads": 0, "method": "magnitude-heads"}, "^threads is 0"),
        ({"data": LABELLED}, "tokenizer is missing: the data are for it to read"),
        ({"data": TEXTS}, r"data: example 0 is no text and label; a model for classification wants a list of pairs"),
        ({"data": 7}, "data is a int; a model for classification wants"),
        ({"data": "sst"}, "data is 'sst', no file and no task.*Did you mean 'sst2'?"),
        ({"data": "nowhere.csv"}, "^data nowhere.csv: there is no such file"),
        ({"data": []}, "data: holds no examples"),
        ({"data": "wikitext2", "tokenizer": True}, None),
        (
            {"data": [(text, label + 1) for text, label in LABELLED], "tokenizer": True},
            "has the label 3, and the model",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_in_pythons_words(options, message):
    model, tokenizer = pair_of("bert")
    given = {"model": model, "method": "michel-greedy", "target": 0.5} | options
    if given.get("tokenizer"):
        given["tokenizer"] = tokenizer
    with pytest.raises(UserError, match=message) as refused:
        headroom.prune(**given)
    assert "--" not in str(refused.value)


def test_models_without_a_head_or_without_values_are_named():
    with pytest.raises(UserError, match="is a BertModel, which has no head for a task"):
        headroom.prune(attention.toy("bert").bert, "magnitude-heads", 0.5)
    with pytest.raises(UserError, match="has no values yet"):
        headroom.prune(attention.toy("bert").to("meta"), "magnitude-heads", 0.5)
