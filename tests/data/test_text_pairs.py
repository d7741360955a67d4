"""Texts and pairs of them are encoded as the library's pipeline does it: segments, cuts, predictions."""

import pytest
import torch
import transformers
from contract_helpers import CLASSIFIERS, classifier, task
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_kinds import TEXTS, tokenizer
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast, pipeline

from headroom.config.model_spec import TokenizerSpec
from headroom.data.columns import normalised
from headroom.data.contract import Contract, has_segments, longest
from headroom.data.text import SEGMENTS
from headroom.data.tokenize import train_tokenizer
from headroom.errors import UserError

PAIR = task("classification", columns={"text": ["sentence1", "sentence2"]})
WORDS = ["the", "cat", "says", "no", "dog", "a", "is", "it", "0"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)


def bert_like(segments=True):
    """`<s> A </s> B </s>`, the second part told apart, as BERT's."""
    whole = Tokenizer.from_str(tokenizer("word pieces").backend_tokenizer.to_str())
    whole.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = ["input_ids", SEGMENTS, "attention_mask"] if segments else ["input_ids", "attention_mask"]
    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=whole, model_input_names=names, **marks)


def rows(count=24):
    texts = [f"{first} {second}" for first in TEXTS[:5] for second in WORDS]
    return [{"text": texts[n], "pair": texts[-n // 2], "label": n % 2} for n in range(count)]


def model_of(family, reader):
    return classifier(family, pad_token_id=reader.pad_token_id, bos_token_id=1, eos_token_id=2)


def probabilities(model, batch):
    with torch.no_grad():
        return model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits.softmax(-1)


@pytest.mark.parametrize("parts", ["one", "two"])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_predictions_are_those_of_the_library_s_pipeline(family, parts):
    """Every example, one by one there and in padded batches here."""
    reader = bert_like(segments=family in ("bert", "roberta"))
    model, examples = model_of(family, reader), rows()
    wanted = PAIR if parts == "two" else task("classification")
    if parts == "one":
        examples = [{"text": row["text"], "label": row["label"]} for row in examples]
    there = pipeline("text-classification", model=model, tokenizer=reader, top_k=None, function_to_apply="softmax")
    asked = [{"text": row["text"], **({"text_pair": row["pair"]} if "pair" in row else {})} for row in examples]
    names = {label: number for number, label in model.config.id2label.items()}
    collator = Contract.of(model, reader).collator(wanted)
    ours = torch.cat([probabilities(model, collator(examples[at : at + 5])) for at in range(0, len(examples), 5)])
    for row, said in zip(ours, (there(one) for one in asked), strict=True):
        theirs = {names[one["label"]]: one["score"] for one in said}
        torch.testing.assert_close(row, torch.tensor([theirs[n] for n in range(len(row))]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "segments", "given_them"),
    [
        ("bert", True, True),
        ("bert", False, False),
        ("roberta", True, True),
        ("distilbert", True, False),
        ("gpt2", True, False),
        ("llama", True, False),
    ],
)
def test_segments_are_given_where_tokenizer_and_model_both_have_them(family, segments, given_them):
    """GPT-2 takes them too, and would look them up among its words."""
    reader = bert_like(segments)
    contract = Contract.of(model_of(family, reader), reader)
    batch = contract.collator(PAIR)(rows(3))
    assert (SEGMENTS in batch) == given_them
    said = "with" if given_them else "without"
    assert contract.stated(PAIR)["parts"] == f"two, joined by the tokenizer, {said} segments"
    if given_them:
        second = [ids[ids.index(2) + 1 :] for ids in batch["input_ids"].tolist()]
        assert [row.sum().item() for row in batch[SEGMENTS]] == [sum(bool(token) for token in part) for part in second]


def test_a_roberta_of_one_part_is_given_no_segments():
    """Published ones have a table of one row; a second segment would be outside of it."""
    reader = bert_like()
    model = classifier("roberta", pad_token_id=0, bos_token_id=1, eos_token_id=2, type_vocab_size=1)
    assert not has_segments(model.config)
    assert probabilities(model, Contract.of(model, reader).collator(PAIR)(rows(3))).shape == (3, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=4), st.integers(5, 16))
def test_long_pairs_are_cut_at_the_longer_part(pairs, length):
    reader = bert_like()
    contract = Contract(model_of("bert", reader).config, reader, length=length)
    batch = contract.collator(PAIR)([{"text": a, "pair": b, "label": 0} for a, b in pairs])
    for (first, second), ids, mask in zip(pairs, batch["input_ids"], batch["attention_mask"], strict=True):
        parts = [reader.encode(text, add_special_tokens=False) for text in (first, second)]
        whole = ids[mask.bool()].tolist()
        assert whole == reader(first, second, truncation=True, max_length=length)["input_ids"]
        kept = whole[1 : whole.index(2)], whole[whole.index(2) + 1 : -1]
        room = min(length - 3, sum(map(len, parts)))
        assert len(kept[0]) + len(kept[1]) == room
        for part, left in zip(parts, kept, strict=True):
            assert left == part[: len(left)] and len(left) >= min(len(part), room // 2)


def test_two_columns_become_two_parts():
    data = Dataset.from_list([{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}])
    assert normalised(data, PAIR)[0] == {"text": "a", "pair": "b", "label": 1}
    with pytest.raises(UserError, match=r"tasks/mine\.yaml: columns\.text is 'sentence2'"):
        normalised(data.remove_columns("sentence2"), PAIR)
    with pytest.raises(UserError, match=r"columns\.pair is 'sentence2', and 1 of 1 examples have none|columns\.text"):
        normalised(Dataset.from_list([{"sentence1": "a", "sentence2": None, "label": 1}]), PAIR)


@pytest.mark.parametrize("kind", ["word", "bpe", "wordpiece"])
def test_a_tokenizer_trained_for_pairs_tells_the_parts_apart_and_reads_one_text_as_before(kind, tmp_path):
    spec = TokenizerSpec(kind=kind, size=300)
    plain, told = (train_tokenizer(spec, TEXTS, segments=segments) for segments in (False, True))
    for text in TEXTS:
        one = told(text)
        assert one["input_ids"] == plain(text)["input_ids"] and not any(one[SEGMENTS])
        assert told(text, text)["input_ids"] == plain(text, text)["input_ids"]
    assert SEGMENTS not in plain("a")
    told.save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    both = again("the cat", "no")
    ids, end = both["input_ids"], again.eos_token_id
    assert both[SEGMENTS] == [0] * (ids.index(end) + 1) + [1] * (len(ids) - ids.index(end) - 1)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "opt", "bart", "mbart"])
def test_the_longest_input_that_a_model_is_given_is_one_that_it_can_read(family):
    """Its table of positions ends there; RoBERTa counts on from its padding token."""
    reader = bert_like()
    for pad in (0, 3):
        reader.pad_token = ["<pad>", None, None, "<unk>"][pad]
        model = classifier(family, pad_token_id=pad, bos_token_id=1, eos_token_id=2)
        length = longest(model.config, reader)
        assert length == (63 - pad if family == "roberta" else 64)
        collator = Contract.of(model, reader, length=length).collator(task("classification"))
        batch = collator([{"text": "cat " * 200, "label": 0}])
        assert batch["input_ids"].shape[1] == length and probabilities(model, batch).isfinite().all()
