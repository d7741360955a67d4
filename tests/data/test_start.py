"""What stands in front of a text is one mark or a sentence, whatever tokenizer and config say."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_kinds import BEGIN, END, KINDS, PAD, SPECIAL, TEXTS, tokenizer
from transformers import AutoConfig

from headroom.data.start import Start, added_in_front, start_of, start_troubles
from headroom.errors import UserError

FAMILIES = ["llama", "mistral", "qwen2", "gpt2", "gpt_neox", "opt", "gemma", "gemma2", "gemma3_text", "recurrent_gemma"]
IDS = st.sampled_from([None, -1, 0, 1, 2, 3, 7, 10**6])
MARKS = st.sampled_from([None, *SPECIAL, "<new>"])


def config(family: str, size: int = 300, **ids):
    return AutoConfig.for_model(family, vocab_size=size, **ids)


@pytest.mark.parametrize(("model", "around"), KINDS)
def test_what_a_tokenizer_puts_in_front_is_asked_of_it(model, around):
    assert added_in_front(tokenizer(model, around)) == ([1] if around in ("start", "both") else [])


@pytest.mark.parametrize("family", ["gemma", "gemma2", "gemma3_text", "recurrent_gemma"])
@pytest.mark.parametrize("around", ["nothing", "start"])
def test_gemmas_want_the_mark_in_every_window_whether_their_tokenizer_adds_it_or_not(family, around):
    start = start_of(config(family, bos_token_id=1), tokenizer("unigram", around))
    assert start == Start(1, BEGIN, True, around == "start", f"'{BEGIN}' before every window")
    assert start.before_context


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt_neox", "opt"])
def test_others_want_it_in_front_of_a_text(family):
    said = f"'{BEGIN}' before the first window"
    assert start_of(config(family), tokenizer("unigram", "start")) == Start(1, BEGIN, False, True, said)
    assert not start_of(config(family), tokenizer("unigram")).before_context


@pytest.mark.parametrize("family", ["llama", "gemma"])
def test_one_mark_between_texts_is_enough_for_whoever_saw_no_other(family):
    said = Start(2, END, False, False, f"'{END}' before each text")
    one = tokenizer("pairs of bytes", bos_token=END)
    assert start_of(config(family, bos_token_id=2, eos_token_id=2), one) == said
    assert start_of(config(family), tokenizer("pairs of bytes"), trained_here=True) == said


def test_multimodal_configs_are_asked_for_their_text():
    whole = AutoConfig.for_model("gemma3", text_config={"vocab_size": 300, "bos_token_id": 1})
    assert start_of(whole, tokenizer("unigram")).every_window


def test_contradictions_are_sentences():
    plain = tokenizer("words")
    (found,) = start_troubles(config("llama", bos_token_id=3), plain)
    assert "bos_token_id of config.json is 3" in found and "'<s>' has the id 1" in found
    (found,) = start_troubles(config("llama", size=1), plain)
    assert "reads ids below 1" in found
    (found,) = start_troubles(config("llama"), tokenizer("words", "start", bos_token=PAD))
    assert "puts '<s>' in front" in found and "names '<pad>'" in found
    (found,) = start_troubles(config("gemma"), tokenizer("words", bos_token=None))
    assert "names one" in found
    with pytest.raises(UserError, match=r"config\.json is 3"):
        start_of(config("llama", bos_token_id=3), plain)


@pytest.mark.parametrize("stated", [None, -1, 10**6, 1])
def test_what_states_nothing_contradicts_nothing(stated):
    """1 is the default of the class, which stands in the config of whoever did not think of it."""
    assert not start_troubles(config("llama", bos_token_id=stated), tokenizer("words", bos_token=PAD))


def test_generation_config_settles_what_config_says_otherwise():
    settles, copy = SimpleNamespace(bos_token_id=1), SimpleNamespace(bos_token_id=3, _from_model_config=True)
    assert not start_troubles(config("llama", bos_token_id=3), tokenizer("words"), generation=settles)
    assert start_troubles(config("llama", bos_token_id=3), tokenizer("words"), generation=copy)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_mark_or_a_sentence(data):
    """Random marks of the tokenizer, ids of config and generation config, and families: no crash, one mark a text."""
    kind = data.draw(st.sampled_from(KINDS))
    reader = tokenizer(*kind, bos_token=data.draw(MARKS), eos_token=data.draw(MARKS), pad_token=data.draw(MARKS))
    ids = {key: data.draw(IDS, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    size = data.draw(st.sampled_from([2, 300]))
    family = data.draw(st.sampled_from(FAMILIES))
    said = data.draw(st.sampled_from([None, SimpleNamespace(bos_token_id=data.draw(IDS, "generation"))]))
    facts = (config(family, size, **ids), reader, data.draw(st.booleans(), "trained here"), said)
    if found := start_troubles(*facts):
        assert all(sentence[0].isupper() or sentence.startswith("bos_token_id") for sentence in found)
        assert all(sentence.endswith(".") for sentence in found)
        with pytest.raises(UserError):
            start_of(*facts)
        return
    start = start_of(*facts)
    assert (start.token is None) == (start.said == "no start mark")
    for text in [*TEXTS[:5], "", f"{BEGIN}the cat"]:
        for ids_of in (reader.encode(text, add_special_tokens=False), reader.encode(text)):
            marked = start.before(ids_of)
            if start.token is not None:
                assert 0 <= start.token < size
                assert marked[0] == start.token and start.before(marked) == marked
                assert start.after(marked) == marked[1:] and marked[1:] == start.after(ids_of)
            else:
                assert marked == ids_of
