"""One padding token, or a sentence: a text alone and in a padded batch gives the same answer."""

import pytest
import torch
from contract_helpers import CLASSIFIERS, classifier, task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_kinds import KINDS, SPECIAL, TEXTS, tokenizer

from headroom.data.contract import Contract
from headroom.data.padding import one_padding
from headroom.errors import UserError

MARKS = st.sampled_from([None, *SPECIAL, "<new>"])
IDS = st.sampled_from([None, -1, 0, 1, 2, 3, 7, 10**6])
SLOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def answers(model, collator, texts):
    batch = collator([{"text": text, "label": 0} for text in texts])
    with torch.no_grad():
        return model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits


def alike(model, reader):
    """Asserts that each text alone is answered as in a padded batch, or gives the sentences that refuse the model."""
    wanted, contract = task("classification"), Contract.of(model, reader, where="the model")
    if found := contract.troubles(wanted):
        with pytest.raises(UserError):
            contract.collator(wanted)
        assert all(said.endswith(".") and said.startswith("the model") for said in found)
        return found
    collator = contract.collator(wanted)
    assert model.config.pad_token_id == reader.pad_token_id is not None
    texts = ["no", "the cat says no", "is it a cat? the dog says it is"]
    together = answers(model, collator, texts)
    alone = torch.cat([answers(model, collator, [text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    return []


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_a_text_alone_and_in_a_batch_is_one_text(family, side):
    """Whichever side the tokenizer would pad on: GPT-2 and BERT count places from the front."""
    reader = tokenizer("word pieces", "both")
    reader.padding_side = side
    assert not alike(classifier(family, pad_token_id=0, bos_token_id=1, eos_token_id=2), reader)


@settings(max_examples=12, **SLOW)
@given(st.data())
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_one_token_or_a_sentence_whatever_is_stated(family, data):
    """Random marks of the tokenizer and ids of the config."""
    reader = tokenizer(
        *data.draw(st.sampled_from(KINDS)),
        **{f"{mark}_token": data.draw(MARKS, mark) for mark in ("pad", "bos", "eos")},
    )
    reader.padding_side = data.draw(st.sampled_from(["left", "right"]))
    ids = {f"{mark}_token_id": data.draw(IDS, f"config {mark}") for mark in ("pad", "bos", "eos")}
    model = classifier(family, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    if family == "roberta":  # counts its places from the padding token that it was built with
        ids["pad_token_id"] = data.draw(st.sampled_from([0]))
    for key, value in ids.items():
        setattr(model.config, key, value)
    alike(model, reader)


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_two_tokens_are_a_sentence_and_one_is_enough(family):
    reader = tokenizer("words", "both", pad_token="<unk>")
    (said,) = alike(classifier(family, pad_token_id=0, bos_token_id=1, eos_token_id=2), reader)
    assert "the tokenizer pads with '<unk>' (token 3), config.json: pad_token_id is 0 ('<pad>')" in said
    assert not alike(
        classifier(family, pad_token_id=0, bos_token_id=1, eos_token_id=2), tokenizer("words", "both", pad_token=None)
    )


@pytest.mark.parametrize(
    ("mark", "number", "words"),
    [
        (None, None, "neither tokenizer_config.json: pad_token nor config.json: pad_token_id states a padding token"),
        (None, -1, "neither"),
        ("<new>", None, "config.json: vocab_size is"),
        (None, 10**6, "vocab_size is"),
        (None, 7, "which the tokenizer does not mark as special"),
    ],
)
def test_no_token_and_a_wrong_one_are_sentences(mark, number, words):
    reader = tokenizer("words", pad_token=mark)
    model = classifier("llama", len(reader) - (mark == "<new>"))
    model.config.pad_token_id = number
    with pytest.raises(UserError, match=words):
        one_padding(reader, model.config, "the model")


def test_what_a_tokenizer_lacks_it_is_told_and_words_stay_as_they_were():
    reader = tokenizer("words", pad_token=None)
    before = [reader(text)["input_ids"] for text in TEXTS]
    model = classifier("llama", pad_token_id=2)
    assert one_padding(reader, model.config, "the model") == "</s>" == reader.pad_token
    assert [reader(text)["input_ids"] for text in TEXTS] == before
    other = tokenizer("words")
    model.config.pad_token_id = None
    one_padding(other, model.config, "the model")
    assert model.config.pad_token_id == 0


@pytest.mark.parametrize("family", ["bart", "mbart", "t5"])
@pytest.mark.parametrize(
    ("around", "marks", "words"),
    [("nothing", {}, "puts none behind a text"), ("end", {"pad_token": "</s>"}, "pads with it too")],
)
def test_an_encoder_decoder_classifies_at_the_one_end_mark_or_not_at_all(family, around, marks, words):
    reader = tokenizer("words", around, **marks)
    model = classifier(family, pad_token_id=reader.pad_token_id, bos_token_id=1, eos_token_id=2)
    assert words in " ".join(alike(model, reader))


@pytest.mark.parametrize("start", [None, -1, 300])
def test_a_decoder_that_is_not_told_what_to_begin_with_is_a_sentence(start):
    model = classifier("t5", pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model.config.decoder_start_token_id = start
    assert f"decoder_start_token_id is {start}" in " ".join(alike(model, tokenizer("words", "end")))
