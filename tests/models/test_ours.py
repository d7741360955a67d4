"""A folder of any kind that Headroom writes can be the source of a model, and its code is not run for it."""

from __future__ import annotations

import pytest
import torch

from headroom import attention
from headroom.api import Unit
from headroom.errors import UserError
from headroom.models.ours import kind_of
from headroom.models.sources import Source
from headroom.shipping import Loaded, probing, ship

KINDS = {
    "stock": ["block:decoder.block.1"],
    "code": ["head:decoder.self.1.0", "mlp:decoder.mlp.2", "block:decoder.block.3"],
    "headroom": ["head:decoder.self.1.0"],
    "deci": ["attention:decoder.self.1", "mlp:decoder.mlp.3", "block:decoder.block.2"],
}


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A toy Llama in a folder of a kind, and the model that was written."""
    monkeypatch.setattr("headroom.shipping.forms.load_again", lambda *_, **__: Loaded("theirs", 0.0))

    def make(kind, **changes):
        toy = attention.toy("llama", **{"intermediate_size": 256} | changes)
        model = attention.without(toy, [Unit.parse(unit) for unit in KINDS[kind]])
        assert ship(model, tmp_path / kind, kind).kind == kind == kind_of(tmp_path / kind)
        return tmp_path / kind, model

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_folder_is_a_source_equal_to_the_bit(written, kind):
    folder, model = written(kind)
    for code in folder.glob("*.py"):
        code.write_text("raise SystemExit('this was run')")
    source = Source(folder)
    assert source.purpose == "language" and source.config.model_type == "llama"
    said = [probing.said(one, probing.inputs_of(model))["logits"] for one in (source.model("language"), model)]
    assert torch.equal(*said)
    assert sum(value.numel() for value in source.shape("language").parameters()) == model.num_parameters()
    assert source.folder == folder and str(source) == str(folder), "what is hashed and named is the folder"


@pytest.mark.parametrize("tied", [False, True])
def test_tied_embeddings_stay_tied(written, tied):
    folder, _ = written("deci", tie_word_embeddings=tied)
    again = Source(folder).model("language")
    assert (again.lm_head.weight is again.model.embed_tokens.weight) == tied


def test_a_view_goes_with_its_source(written):
    source = Source(written("code")[0])
    place = source.reads
    assert place != source.place and place.is_dir()
    del source
    assert not place.exists()


@pytest.mark.parametrize(
    ("kind", "lost", "says"),
    [
        ("code", "headroom_plan.json", "headroom_plan.json is missing; write the folder again"),
        ("code", "headroom.safetensors", "headroom.safetensors is missing; write the folder again"),
        ("deci", "model-00001-of-00001.safetensors", "is no whole DeciLMForCausalLM"),
    ],
)
def test_what_has_gone_from_it_is_one_sentence_that_names_the_folder(written, kind, lost, says):
    folder, _ = written(kind)
    (folder / lost).unlink()
    with pytest.raises(UserError, match=says) as refused:
        Source(folder).model("language")
    assert str(folder) in str(refused.value)


def test_damage_is_told_of_the_folder_and_not_of_the_view(written):
    folder, _ = written("code")
    (folder / "headroom.safetensors").write_bytes((folder / "headroom.safetensors").read_bytes()[:-50])
    with pytest.raises(UserError, match=r"damaged|corrupt") as refused:
        Source(folder).model("language")
    assert str(folder) in str(refused.value) and "/headroom-" not in str(refused.value)


@pytest.mark.parametrize("name", ["model.gguf", "model.onnx"])
def test_a_model_in_one_file_for_others_is_no_source_and_says_so(name, tmp_path):
    attention.toy("llama").config.save_pretrained(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"for other programs\. Name the folder that it was made from"):
        Source(tmp_path).model("language")
