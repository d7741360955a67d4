"""Pruned models on disk: equal to the bit when read back, and plain words when the folder is damaged."""

import json
import subprocess
import sys

import pytest
import torch
from attention_helpers import GRAINS, logits, random_units, removed, worst_step

from headroom.api import Grain, Site, Unit
from headroom.attention import FAMILY_NAMES, anatomy, load_removed, remove, removed_units, save_removed, toy, toy_batch
from headroom.attention.saving import OWN_WEIGHTS, PLAN
from headroom.errors import UserError


def cut(family):
    """A toy with a bit of everything removed."""
    model = toy(family)
    plan = anatomy(model)
    last = plan.units((Grain.BLOCK,))[-1]
    units = [plan.units((Grain.ATTENTION,))[0], plan.units((Grain.MLP,))[0], last]
    return removed(removed(model, random_units(model, (Grain.HEAD,), 0.4, 2)), units)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_saved_model_comes_back_equal_to_the_bit(family, tmp_path):
    model, batch = cut(family), toy_batch(family)
    save_removed(model, tmp_path)
    again = load_removed(tmp_path)
    assert torch.equal(logits(again, batch), logits(model, batch))
    assert removed_units(again) == removed_units(model)
    assert anatomy(again).units(GRAINS) == anatomy(model).units(GRAINS)
    assert not again.training and type(again) is type(model)
    assert sum(p.numel() for p in again.parameters()) == sum(p.numel() for p in model.parameters()), "ties are kept"
    save_removed(again, tmp_path / "again")
    assert (tmp_path / "again" / OWN_WEIGHTS).read_bytes() == (tmp_path / OWN_WEIGHTS).read_bytes()


@pytest.mark.parametrize("family", ["bert", "marian", "gemma2"])
def test_a_dense_model_can_be_saved_too(family, tmp_path):
    model, batch = toy(family), toy_batch(family)
    save_removed(model, tmp_path)
    again = load_removed(tmp_path)
    assert torch.equal(logits(again, batch), logits(model, batch))
    assert not removed_units(again)


@pytest.mark.parametrize("family", ["bert", "llama", "t5", "gemma3"])
def test_a_model_in_bfloat16_comes_back_equal_to_the_bit(family, tmp_path):
    model, batch = cut(family).bfloat16(), toy_batch(family)
    save_removed(model, tmp_path)
    again = load_removed(tmp_path)
    assert next(again.parameters()).dtype is torch.bfloat16
    assert torch.equal(logits(again, batch), logits(model, batch))


def test_a_saved_model_can_be_cut_further_and_generates(tmp_path):
    model, batch = cut("llama"), toy_batch("llama")
    save_removed(model, tmp_path)
    again = load_removed(tmp_path)
    unit = anatomy(again).units((Grain.MLP,))[-1]
    remove(again, [unit])
    assert torch.equal(logits(again, batch), logits(removed(model, [unit]), batch))
    assert worst_step(again, "llama") < 1e-4


def test_settings_of_generation_come_back(tmp_path):
    model = toy("marian")
    model.generation_config.update(num_beams=3, bad_words_ids=[[0]], max_length=12)
    save_removed(model, tmp_path)
    again = load_removed(tmp_path)
    assert again.generation_config.to_dict() == model.generation_config.to_dict()
    prompt = {name: value for name, value in toy_batch("marian").items() if name != "labels"}
    assert torch.equal(again.generate(**prompt), model.generate(**prompt))


def test_a_saved_model_comes_back_equal_in_a_fresh_process(tmp_path):
    model, batch = removed(toy("llama"), [Unit(Site("decoder", "self", 1), Grain.HEAD, 3)]), toy_batch("llama")
    save_removed(model, tmp_path)
    torch.save(logits(model, batch), tmp_path / "logits.pt")
    code = (
        "import sys, torch; from headroom.attention import load_removed, toy_batch\n"
        "batch = toy_batch('llama')\n"
        "with torch.no_grad(): found = load_removed(sys.argv[1])(**batch).logits\n"
        "assert torch.equal(found, torch.load(sys.argv[1] + '/logits.pt'))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("family", ["t5", "gemma2", "roberta"])
def test_units_are_removed_before_any_weight_is_in_memory(family, tmp_path, monkeypatch):
    save_removed(cut(family), tmp_path)
    seen = []

    def watched(model, units, policy):
        remove(model, units, policy)
        seen.append(({p.device.type for p in model.parameters()}, {b.device.type for b in model.buffers()}))

    monkeypatch.setattr("headroom.attention.saving.remove", watched)
    again = load_removed(tmp_path)
    assert seen == [({"meta"}, {"cpu"})], "integer buffers are in no file, so they have to be real"
    assert {p.device.type for p in again.parameters()} == {"cpu"}


def test_folders_hold_json_and_safetensors_only_and_the_dense_config(tmp_path):
    save_removed(cut("marian"), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"config.json", PLAN, OWN_WEIGHTS} <= names
    assert all(name.endswith((".json", ".safetensors")) for name in names)
    assert json.loads((tmp_path / "config.json").read_text())["decoder_layers"] == 3


@pytest.mark.parametrize("keep", [0, 5, 400, -3])
def test_a_truncated_weight_file_is_named(tmp_path, keep):
    save_removed(cut("bert"), tmp_path)
    path = tmp_path / OWN_WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=OWN_WEIGHTS):
        load_removed(tmp_path)


def test_a_corrupted_weight_file_is_named(tmp_path):
    save_removed(cut("bert"), tmp_path)
    path = tmp_path / OWN_WEIGHTS
    path.write_bytes(path.read_bytes().replace(b"classifier.bias", b"classifier.bits"))
    with pytest.raises(UserError, match=OWN_WEIGHTS):
        load_removed(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "version 99"),
        ({"class": "NoSuchModel"}, "NoSuchModel"),
        ({"class": "BertForSequenceClasification"}, "Did you mean 'BertForSequenceClassification'"),
        ({"class": "pipeline"}, "does not prune"),  # a name of the library, and no model
        ({"class": ["BertModel"]}, "does not prune"),
        ({"removed": ["head:encoder.self.0.77"]}, r"head:encoder\.self\.0\.77"),
        ({"removed": ["nonsense"]}, PLAN),
        ({"removed": []}, r"model\.safetensors is missing"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(tmp_path, change, words):
    save_removed(cut("bert"), tmp_path)
    path = tmp_path / PLAN
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=words):
        load_removed(tmp_path)


@pytest.mark.parametrize("name", [PLAN, OWN_WEIGHTS, "config.json"])
def test_a_missing_file_is_named(tmp_path, name):
    save_removed(cut("bert"), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=name):
        load_removed(tmp_path)


def test_a_plan_that_is_no_json_or_lacks_keys_is_named(tmp_path):
    save_removed(cut("bert"), tmp_path)
    for text in ("{", "[]", '{"version": 1}'):
        (tmp_path / PLAN).write_text(text)
        with pytest.raises(UserError, match=PLAN):
            load_removed(tmp_path)


@pytest.mark.parametrize("family", ["llama", "bert", "m2m_100", "vit"])
def test_a_stock_loader_refuses_what_something_is_gone_from_and_reads_what_is_whole(family, tmp_path):
    model = toy(family)
    save_removed(model, tmp_path)
    stock = type(model).from_pretrained(tmp_path)
    assert all(torch.equal(stock.state_dict()[name], value) for name, value in model.state_dict().items())
    last = max(anatomy(model).units((Grain.MLP,)))
    remove(model, [last])
    save_removed(model, tmp_path)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        type(model).from_pretrained(tmp_path)
    assert removed_units(load_removed(tmp_path)) == {last}
    readable = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(readable) == 1, "whoever may read the config may read the weights"
