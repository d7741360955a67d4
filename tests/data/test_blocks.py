"""Blocks that language models calibrate and train on: their marks, their lengths, and what they are made of."""

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_kinds import BEGIN, END, KINDS, TEXTS, tokenizer

from headroom.data.choices import asked, texts_of
from headroom.data.language import LanguageCollator
from headroom.data.start import Start
from headroom.errors import UserError

EVERY = Start(1, BEGIN, True, False, "'<s>' before every window")
QUESTIONS = Dataset.from_list(
    [
        {"context": "the cat", "choices": ["says no", "is it"], "gold": 1},
        {"context": "", "choices": ["a dog", "a dogs"], "gold": 0},
        {"context": "it is ", "choices": ["0", "a cat"], "gold": 1},
        {"context": "no", "choices": [" cat", " dog"], "gold": 0},
    ]
)


def rows(texts: list[str]) -> Dataset:
    return Dataset.from_dict({"text": texts})


def blocks(collator: LanguageCollator, dataset: Dataset) -> list[list[int]]:
    return [block["input_ids"] for block in collator.arrange(dataset)]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([*TEXTS[:5], "", f"{BEGIN}it is"]), min_size=1, max_size=12),
    st.integers(2, 12),
    st.sampled_from([None, EVERY, Start(2, END, False, False, "")]),
)
def test_blocks_are_the_texts_in_their_order_behind_one_mark_each(kind, texts, length, start):
    """And every block begins with a mark where the family wants that; without, they are the stream cut evenly."""
    reader = tokenizer(*kind)
    plain = [reader.encode(text, add_special_tokens=False) for text in texts]
    mark = 1 if start is None else start.token
    stream = [token for ids in plain for token in [mark, *(ids[1:] if ids[:1] == [mark] else ids)]]
    if len(stream) < 2:
        with pytest.raises(UserError, match="1 texts to calibrate or train on are 1 tokens"):
            blocks(LanguageCollator(reader, length, start), rows(texts))
        return
    found = blocks(LanguageCollator(reader, length, start), rows(texts))
    assert len({len(block) for block in found}) == 1 and len(found[0]) <= length
    if start is not EVERY:
        whole = max(1, len(stream) // length)
        assert found == [stream[at * length : (at + 1) * length] for at in range(whole)]
        return
    at = 0
    for block in found:
        assert block[0] == mark and not (block[1:] and block[1] == mark and stream[at : at + 2] != [mark, mark])
        content = block if stream[at] == mark else block[1:]
        assert content == stream[at : at + len(content)]
        at += len(content)
    assert len(found[0]) == length or len(found) == 1
    assert len(stream) - at < length


def test_a_block_needs_something_to_predict():
    with pytest.raises(UserError, match="wanted 2 or more"):
        LanguageCollator(tokenizer("words"), length=1)
    with pytest.raises(UserError, match="0 texts"):
        LanguageCollator(tokenizer("words")).arrange(rows([]))


def test_a_choice_follows_its_context_after_one_space():
    assert asked("the cat", ["no", "is"]) == [" no", " is"]
    assert asked("the cat ", ["no", "is"]) == ["no", "is"]
    assert asked("the cat", [" no", " is"]) == [" no", " is"]
    assert asked("", ["no", "is"]) == ["no", "is"]


def test_questions_are_read_with_their_right_answers_or_alone():
    assert texts_of(QUESTIONS) == ["the cat is it", "a dog", "it is a cat", "no cat"]
    assert texts_of(QUESTIONS, "context") == ["the cat", "it is ", "no"]
    assert texts_of(rows(["a", "b"]), "context") == ["a", "b"]


def test_questions_without_words_cannot_be_read_alone():
    pairs = QUESTIONS.map(lambda row: row | {"context": ""})
    assert texts_of(pairs)[0] == "is it"
    with pytest.raises(UserError, match="calibration is 'context'"):
        texts_of(pairs, "context")
    with pytest.raises(UserError, match="there are image, label"):
        texts_of(Dataset.from_dict({"image": [0], "label": [0]}))


def test_a_model_calibrates_on_questions():
    reader = tokenizer("words")
    batch = LanguageCollator(reader, length=4)(LanguageCollator(reader, length=4).arrange(QUESTIONS))
    assert batch["labels"].shape == (4, 4)
    text = reader.decode(batch["input_ids"].flatten().tolist())
    assert text.startswith("<s> the cat is it <s> a dog <s> it is a cat")
