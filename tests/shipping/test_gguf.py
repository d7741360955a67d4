"""GGUF: what the file says is read back to the bit, here and by transformers, and what it cannot say is refused."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from headroom import attention
from headroom.api import Unit
from headroom.errors import UserError
from headroom.shipping import gguf, gguf_words, opened, probing, ship
from headroom.shipping.again import run_llama
from headroom.shipping.forms import Making, gguf_form
from headroom.shipping.inspecting import inspect
from headroom.shipping.left import left_of

packages = pytest.importorskip("gguf", reason="the package gguf is not installed")
EVERY = range(4)
GROUPS = [f"kv_group:decoder.self.{layer}.0" for layer in EVERY]
UNEVEN = ("attention:decoder.self.1", "mlp:decoder.mlp.2", "head:decoder.self.3.0", "head:decoder.self.3.5")


def pruned(*units, **changes):
    return attention.without(attention.toy("llama", **changes), [Unit.parse(unit) for unit in units])


def logits(model):
    return probing.said(model, probing.inputs_of(model))["logits"]


def written(tmp_path, *units, tokenizer=None, **changes):
    """A folder, the model in it, and what the file says beside its weights."""
    model = pruned(*units, **changes)
    left = left_of(model)
    assert not gguf.why_not(left)
    missing = gguf.write(left, tmp_path, tokenizer)
    fields = packages.GGUFReader(tmp_path / gguf.FILE).fields
    return model, {key: field.contents() for key, field in fields.items()} | {"left out": missing}


@pytest.mark.parametrize(
    ("units", "changes"),
    [(["block:decoder.block.1"], {}), (GROUPS, {"tie_word_embeddings": True, "rope_theta": 100000.0})],
)
def test_what_a_stock_config_says_is_read_by_transformers_and_by_headroom_to_the_bit(units, changes, tmp_path):
    model, stated = written(tmp_path, *units, **changes)
    assert stated["general.architecture"] == "llama" and stated["llama.block_count"] == model.config.num_hidden_layers
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=gguf.FILE).eval()
    assert torch.equal(logits(theirs), logits(model)) and torch.equal(logits(opened(tmp_path)), logits(model))
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path)


def test_layers_that_differ_are_counted_one_by_one_and_a_lost_mlp_is_an_idle_one(tmp_path):
    model, stated = written(tmp_path, *UNEVEN)
    assert stated["general.architecture"] == "deci"
    assert stated["deci.attention.head_count"] == [8, 0, 8, 6]
    assert stated["deci.attention.head_count_kv"] == [2, 0, 2, 2]
    # beside a width of 0 llama.cpp would forget the attention
    assert stated["deci.feed_forward_length"] == [48, 48, gguf.IDLE, 48]
    assert torch.equal(logits(opened(tmp_path)), logits(model))
    with pytest.raises(ValueError, match="does not recognize this architecture"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=gguf.FILE)


def test_rows_turn_by_neighbours_in_the_file_and_by_halves_in_the_model():
    rows = torch.arange(16)[:, None]
    assert gguf.paired(rows, 2)[:8, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert torch.equal(gguf.halved(gguf.paired(rows, 2), 2), rows)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: attention.toy("qwen3"), "for LlamaForCausalLM, and this is a Qwen3ForCausalLM"),
        (lambda: pruned("attention:decoder.self.0"), "the first layer has to attend in it"),
        (lambda: pruned("head:decoder.self.1.0"), "read by different numbers of query heads"),
        (
            lambda: pruned(*(f"kv_group:decoder.self.1.{group}" for group in (0, 1))),
            "no head is left in decoder.self.1",
        ),
        (lambda: pruned(attention_bias=True), "take attention_bias for False, and here it is True"),
        (
            lambda: pruned(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}),
            "positions are stretched (linear)",
        ),
    ],
)
def test_what_it_cannot_say_is_refused_in_a_sentence(model, why, tmp_path):
    with pytest.raises(UserError, match="--format gguf: ") as refused:
        ship(model(), tmp_path / "small", "gguf")
    assert why in str(refused.value) and not (tmp_path / "small").exists()


def test_the_missing_package_is_named_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(gguf, "_installed", lambda: False)
    with pytest.raises(UserError, match=r"pip install 'headroom\[packages\]'"):
        ship(pruned(), tmp_path / "small", "gguf")


def words(steps, model=None, decoder=None):
    """A byte-level tokenizer of a few pieces."""
    pieces = {
        piece: number for number, piece in enumerate(["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())])
    }
    backend = Tokenizer(model or models.BPE(vocab=pieces | {"ab": len(pieces)}, merges=[("a", "b")]))
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.decoder = decoder or decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def test_a_byte_level_tokenizer_is_in_the_file_and_another_is_left_out_in_words(tmp_path):
    smollm = words([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    _, stated = written(tmp_path, tokenizer=smollm, vocab_size=300)
    assert stated["left out"] == "" and stated["tokenizer.ggml.pre"] == "smollm"
    assert stated["tokenizer.ggml.merges"] == ["a b"] and stated["tokenizer.ggml.tokens"][258:] == [
        "ab",
        *(f"[PAD{number}]" for number in range(259, 300)),
    ]
    assert stated["tokenizer.ggml.bos_token_id"] == 0 and stated["tokenizer.ggml.add_bos_token"] is False
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file=gguf.FILE)
    assert theirs("ab ba")["input_ids"] == smollm("ab ba")["input_ids"]


@pytest.mark.parametrize(
    ("tokenizer", "why"),
    [
        (lambda: words([pre_tokenizers.Whitespace()]), "no name here for how it splits texts"),
        (lambda: words([pre_tokenizers.ByteLevel()], models.WordLevel({"<s>": 0}, "<s>")), "it is no byte-level BPE"),
        (lambda: words([pre_tokenizers.ByteLevel(add_prefix_space=False)]), "more tokens than the model"),
    ],
)
def test_a_tokenizer_that_would_be_another_is_left_out(tokenizer, why, tmp_path):
    _, stated = written(tmp_path, tokenizer=tokenizer())
    assert stated["tokenizer.ggml.model"] == "none" and why in stated["left out"]
    assert set(gguf_words.SPLITS) == {"gpt-2", "smollm", "llama-bpe"}


def test_a_damaged_file_is_one_sentence_and_a_changed_one_is_told(tmp_path):
    written(tmp_path)
    file = tmp_path / gguf.FILE
    file.write_bytes(file.read_bytes()[:-64])
    found = inspect(tmp_path)
    assert found.kind == "gguf" and any("no whole GGUF of a Llama" in trouble for trouble in found.troubles)


@pytest.mark.slow
@pytest.mark.parametrize("units", [[], UNEVEN])
@pytest.mark.skipif(find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
def test_llama_cpp_computes_the_same_model(units, tmp_path):
    model = pruned(*units, hidden_size=64, intermediate_size=96)
    probe, folder = tmp_path / "probe.safetensors", tmp_path / "made"
    folder.mkdir()
    probing.write(model, probe)
    shipped = gguf_form(Making(model, folder, probe))
    assert shipped.loaded[-1].loader == "llama.cpp" and shipped.loaded[-1].close(half=False), shipped
    assert run_llama(folder / gguf.FILE, probe).difference == shipped.loaded[-1].difference
