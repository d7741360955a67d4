"""Weights as packages bring them become what they were, to the last bit that the format has kept."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy
import pytest
import torch
from wheels import marian_file, reactions, rounded, source, spoken_words, translator, wheel

from headroom.attention import anatomy, load_removed, remove, save_removed, toy
from headroom.config.tasks import load_task
from headroom.data.contract import Contract
from headroom.errors import UserError
from headroom.models.formats import bergamot
from headroom.models.packages import package_folder
from headroom.models.sources import Source


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def converted(cache):
    """The source of a model that came in a wheel with these files."""
    return lambda files, file: Source(package_folder(source(wheel(cache / "wheels", files), file)))


@pytest.fixture(scope="module")
def students():
    """A toy translator and the files of its kind."""
    model, tensors = translator()
    files = {"en/model.alphas.bin": marian_file(tensors), "en/tokenizer.json": spoken_words()}
    return model, tensors, files


def batch(tokenizer, *texts):
    return tokenizer(list(texts), return_tensors="pt", padding=True)


def test_a_bergamot_translator_computes_what_it_did_before_eight_bits_but_for_their_rounding(students, converted):
    model, tensors, files = students
    found = converted(files, "toy/en")
    again, tokenizer = found.model("translation"), found.tokenizer
    wanted = torch.tensor(rounded(tensors["encoder_l2_self_Wk"]).T)
    assert torch.equal(again.model.encoder.layers[1].self_attn.k_proj.weight, wanted)
    assert torch.equal(again.model.shared.weight[:32], torch.tensor(rounded(tensors["Wemb"])))
    inputs = batch(tokenizer, "a b c", "d e") | {"decoder_input_ids": torch.tensor([[32, 3, 4], [32, 5, 6]])}
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        ours, theirs = again(**inputs).logits[..., :32], model(**inputs).logits[..., :32]
    assert (ours - theirs).abs().max() < 0.05 * theirs.abs().max()


def test_its_texts_end_with_the_mark_and_are_filled_with_a_word_behind_the_last(students, converted):
    tokenizer = converted(students[2], "toy/en/model.alphas.bin").tokenizer
    assert batch(tokenizer, "a b", "c").input_ids.tolist() == [[2, 3, 0], [4, 0, 32]]
    assert tokenizer.decode([2, 3, 0, 32], skip_special_tokens=True) == "a b"


def test_records_call_it_dequantised(students, converted):
    found = converted(students[2], "toy/en")
    model = found.model("translation")
    stated = Contract.of(model, found.tokenizer).stated(load_task("toy-translation"))
    assert stated["weights"] == "dequantised int8"


def test_it_is_pruned_saved_and_read_again(students, converted, tmp_path):
    found = converted(students[2], "toy/en")
    model, inputs = found.model("translation"), batch(found.tokenizer, "a b c")
    remove(model, [unit for unit in anatomy(model).units((anatomy(model).info.grains[0],)) if unit.index == 1])
    save_removed(model, tmp_path / "smaller")
    again = load_removed(tmp_path / "smaller")
    asked = {"input_ids": inputs.input_ids, "max_new_tokens": 6, "do_sample": False}
    assert torch.equal(again.generate(**asked), model.generate(**asked))
    assert Source(tmp_path / "smaller").model("translation").config.headroom_weights == "dequantised int8"


def test_headroom_prune_makes_it_smaller(students, converted, prune):
    code, said, out = prune(converted(students[2], "toy/en").place, "toy-translation")
    assert code == 0, said
    smaller = Source(out).model("translation")
    assert sum(place for place in anatomy(smaller).info.sites.values()) == 6 * 8 // 2
    stated = json.loads((out / "headroom_contract.json").read_text())
    assert stated["toy-translation"]["weights"] == "dequantised int8"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-300], "it ends in the middle of a tensor"),
        (lambda content: struct.pack("<Q", 7) + content[8:], "it says version 7"),
        (lambda content: b"{}" * 20, "cannot be read as Marian's binary file"),
    ],
)
def test_half_a_file_or_another_is_refused(students, converted, spoil, message):
    files = students[2] | {"en/model.alphas.bin": spoil(students[2]["en/model.alphas.bin"])}
    with pytest.raises(UserError, match=message):
        converted(files, "toy/en")


def test_a_translator_of_another_make_is_refused_with_what_it_lacks(students, converted):
    tensors = {name: values for name, values in students[1].items() if name != "decoder_l1_rnn_Wf"}
    files = students[2] | {"en/model.alphas.bin": marian_file(tensors)}
    with pytest.raises(UserError, match=r"is no translator of Bergamot's students .*decoder_l1_rnn_Wf"):
        converted(files, "toy/en")


def test_how_inputs_were_quantised_is_left_out(students, tmp_path):
    more = students[1] | {"encoder_l1_self_Wq_QuantMultA": numpy.ones((2, 1), "f4")}
    (tmp_path / "model.bin").write_bytes(marian_file(more))
    assert set(bergamot.read(tmp_path / "model.bin")) == set(students[1])


def test_a_pickle_of_reactions_has_the_classes_of_its_weights_and_the_words_of_its_list(converted, tmp_path):
    found = converted(reactions(tmp_path / "saved"), "toy/reactions")
    model = found.model("classification")
    assert model.config.num_labels == 3
    before = toy("bert", vocab_size=15, num_labels=3)
    inputs = batch(found.tokenizer, "CC(=O)Cl>>[C@@H]1O", "C")
    assert inputs.input_ids[0].tolist() == [2, 5, 5, 8, 10, 6, 9, 7, 12, 13, 14, 6, 3]
    assert inputs.input_ids[1].tolist() == [2, 5, 3] + 10 * [0]
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, before(**inputs).logits)


def test_a_pickle_that_holds_more_than_weights_is_not_opened(converted, tmp_path):
    files = reactions(tmp_path / "saved")
    torch.save({"classifier.weight": torch.zeros(2), "harm": Path}, tmp_path / "harm.bin")
    files["reactions/pytorch_model.bin"] = (tmp_path / "harm.bin").read_bytes()
    with pytest.raises(UserError, match="holds more than weights"):
        converted(files, "toy/reactions")


def test_another_pickled_bert_is_refused(converted, tmp_path):
    files = reactions(tmp_path / "saved")
    files["reactions/vocab.txt"] = str(files["reactions/vocab.txt"]).replace(">>", "##ing")
    with pytest.raises(UserError, match="lacks >>, so this is no classifier of reactions"):
        converted(files, "toy/reactions")


def test_weights_that_do_not_fit_their_config_are_refused(converted, tmp_path):
    files = reactions(tmp_path / "saved")
    files["reactions/config.json"] = str(files["reactions/config.json"]).replace(
        '"hidden_size": 32', '"hidden_size": 64'
    )
    with pytest.raises(UserError, match="make no BERT that classifies"):
        converted(files, "toy/reactions")


def gguf_file(path: Path, splits: str = "smollm") -> Path:
    """A language model of one layer in Q4_1 and Q8_0, its tokenizer all bytes."""
    gguf = pytest.importorskip("gguf", reason="the package gguf is not installed (extra `packages`)")
    draw = numpy.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("toy")
    for say, value in (
        (writer.add_block_count, 1),
        (writer.add_context_length, 64),
        (writer.add_embedding_length, 64),
        (writer.add_feed_forward_length, 64),
        (writer.add_head_count, 4),
        (writer.add_head_count_kv, 2),
        (writer.add_rope_freq_base, 10000.0),
        (writer.add_layer_norm_rms_eps, 1e-5),
        (writer.add_vocab_size, 288),
    ):
        say(value)
    from tokenizers.pre_tokenizers import ByteLevel

    words = ["<unk>", "<s>", "</s>", *sorted(ByteLevel.alphabet()), "aa", "12"]
    words += [f"<{number}>" for number in range(288 - len(words))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splits)
    writer.add_token_list(words)
    writer.add_token_types([3, 3, 3] + [1] * (len(words) - 3))
    writer.add_token_merges(["a a", "1 2"])
    for mark, number in (("unk", 0), ("bos", 1), ("eos", 2), ("pad", 2)):
        getattr(writer, f"add_{mark}_token_id")(number)
    kinds = gguf.GGMLQuantizationType
    shapes = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
    shapes |= {"ffn_gate": (64, 64), "ffn_up": (64, 64), "ffn_down": (64, 64)}
    tensors = {f"blk.0.{name}.weight": (shape, kinds.Q4_1) for name, shape in shapes.items()}
    for name, (shape, kind) in (tensors | {"token_embd.weight": ((288, 64), kinds.Q8_0)}).items():
        values = draw.normal(size=shape).astype("f4")
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", numpy.ones(64, "f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_becomes_a_plain_model_that_is_called_dequantised(converted, tmp_path):
    gguf = pytest.importorskip("gguf", reason="the package gguf is not installed (extra `packages`)")
    path = gguf_file(tmp_path / "toy.gguf")
    found = converted({"toy.gguf": path.read_bytes()}, "toy/toy.gguf")
    model = found.model("language")
    assert model.config.headroom_weights == "dequantised Q4_1 and Q8_0" and not hasattr(
        model.config, "quantization_config"
    )
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}["blk.0.attn_v.weight"]
    wanted = gguf.quants.dequantize(stored.data, stored.tensor_type)
    assert torch.equal(model.model.layers[0].self_attn.v_proj.weight, torch.tensor(wanted))
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_the_tokenizer_of_smollm_takes_numbers_apart_and_no_other_is_guessed(converted, tmp_path):
    path = gguf_file(tmp_path / "toy.gguf")
    tokenizer = converted({"toy.gguf": path.read_bytes()}, "toy/toy.gguf").tokenizer
    assert tokenizer.convert_ids_to_tokens(tokenizer("aa12").input_ids) == ["aa", "1", "2"]
    assert tokenizer.model_max_length == 64
    strange = gguf_file(tmp_path / "strange.gguf", splits="llama-bpe")
    with pytest.raises(UserError, match="splits texts as 'llama-bpe'"):
        converted({"strange.gguf": strange.read_bytes()}, "toy/strange.gguf")


def test_without_the_package_gguf_the_command_is_said(converted, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UserError, match=r"takes the package gguf, which is not installed. Run `pip install"):
        converted({"toy.gguf": b"GGUF"}, "toy/toy.gguf")


def test_what_is_no_gguf_is_refused(converted):
    pytest.importorskip("gguf", reason="the package gguf is not installed (extra `packages`)")
    with pytest.raises(UserError, match="cannot be read as GGUF"):
        converted({"toy.gguf": b"nothing of the kind" * 10}, "toy/toy.gguf")
