"""Classes are matched by name wherever names are known, and what cannot be matched is a sentence."""

import pytest
import torch
from contract_helpers import task
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig

from headroom.attention import toy
from headroom.config.model_spec import load_spec
from headroom.data.classes import names_in, order_of
from headroom.data.columns import normalised
from headroom.data.tokenize import train_tokenizer
from headroom.errors import UserError
from headroom.evaluate import score
from headroom.evaluate.scores import Settings

NAMES = ["entailment", "not_entailment", "neutral", "World", "Sci/Tech", "5 stars", "crane", "maillot, tank suit", "ü"]
WRITTEN = [str.upper, str.lower, lambda name: name.replace("_", " "), lambda name: name.replace(" ", "-"), str.title]


def config(names, **changes):
    """A config whose logits have these names; LABEL_n by themselves."""
    by_number = dict(enumerate(names))
    return AutoConfig.for_model(
        "bert", id2label=by_number, label2id={name: n for n, name in by_number.items()}, **changes
    )


def order(wanted, found, stated=None):
    made = order_of(task("classification"), wanted, found, stated, "the model")
    return [made(label) for label in range(found.num_labels)]


def refused(wanted, found, stated=None):
    with pytest.raises(UserError) as caught:
        order(wanted, found, stated)
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 600
    return str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_class_finds_the_logit_of_its_name(data):
    """Whatever the order, the case and the signs between words."""
    have = data.draw(st.lists(st.sampled_from(NAMES), min_size=2, unique=True))
    wanted = data.draw(st.permutations(have))
    written = [data.draw(st.sampled_from(WRITTEN))(name) for name in wanted]
    assert order(written, config(have)) == [have.index(name) for name in wanted]
    unnamed = AutoConfig.for_model("bert", num_labels=len(have))
    assert order(written, unnamed) == list(range(len(have)))
    assert order(written, unnamed, have) == [have.index(name) for name in wanted]  # models.NAME.classes


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_other_numbers_and_other_names_are_a_sentence(data):
    have = data.draw(st.lists(st.sampled_from(NAMES), min_size=3, unique=True))
    fewer = data.draw(st.lists(st.sampled_from(have), min_size=2, max_size=len(have) - 1, unique=True))
    said = refused(fewer, config(have))
    assert f"tasks/mine.yaml: has {len(fewer)} classes" in said and f"the model knows {len(have)}" in said
    place = data.draw(st.integers(0, len(have) - 1))
    other = [*have[:place], "something else", *have[place + 1 :]]
    assert "classes has 'something else', and the model knows" in refused(other, config(have))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_one_order_or_a_sentence_whatever_a_config_says(data):
    """Any id2label, label2id and names of params.yaml: each class has its own logit, by name, or nothing runs."""
    name = st.sampled_from([*NAMES, "LABEL_0", "LABEL_1", "label_1", "0", "1", "Crane", ""])
    count = data.draw(st.integers(2, 3))
    found = AutoConfig.for_model("bert", num_labels=count)
    found.id2label = dict(enumerate(data.draw(st.lists(name, min_size=count, max_size=count))))
    found.label2id = data.draw(st.one_of(st.none(), st.dictionaries(name, st.integers(-1, 3), max_size=4)))
    wanted = data.draw(st.one_of(st.none(), st.lists(name, min_size=2, max_size=3)))
    stated = data.draw(st.one_of(st.none(), st.lists(name, min_size=2, max_size=3)))
    try:
        places = order(wanted, found, stated)
    except UserError as error:
        assert str(error).endswith(".")
        return
    assert sorted(places) == list(range(count))


def test_names_that_say_only_their_number_are_none():
    for names in (["LABEL_0", "LABEL_1"], ["0", "1"], ["class 0", "Class 1"]):
        assert order(None, config(names)) == order(["bad", "good"], config(names)) == [0, 1]
    assert order(["1", "0"], config(["0", "1"])) == [1, 0]
    assert "this key is missing" in refused(None, config(["LABEL_1", "LABEL_0"]))
    assert "'bad'" in refused(["bad", "good"], config(["LABEL_1", "LABEL_0"]))  # these say another number


def test_a_model_of_names_and_data_of_none_are_a_sentence():
    said = refused(None, config(["negative", "positive"]))
    assert "tasks/mine.yaml: classes: this key is missing" in said and "negative, positive" in said


@pytest.mark.parametrize(
    ("id2label", "label2id", "words"),
    [
        ({0: "a", 1: "b"}, {"a": 1, "b": 0}, "id2label has a, b, label2id has 0: b, 1: a"),
        ({0: "a", 1: "b"}, {"a": 1}, "label2id has 1: a"),
        ({0: "a", 1: "b"}, {"a": 0, "b": 1, "c": 2}, "2: c"),
        ({0: "LABEL_0", 1: "LABEL_1"}, {"good": 1}, "id2label has LABEL_0, LABEL_1, label2id has 1: good"),
        ({1: "a", 2: "b"}, None, "id2label has the numbers 1, 2; wanted 0 to 1"),
        ({0: "a", 1: "b"}, {"a": "first", "b": 1}, "label2id has 'first' for 'a'"),
    ],
)
def test_a_config_that_contradicts_itself_is_a_sentence(id2label, label2id, words):
    found = AutoConfig.for_model("bert", num_labels=2)
    found.id2label, found.label2id = id2label, label2id
    said = refused(["a", "b"], found)
    assert said.startswith("the model: config.json: ") and words in said


@pytest.mark.parametrize(
    ("id2label", "label2id"),
    [
        ({0: "a", 1: "b"}, None),  # written by hand
        ({0: "a", 1: "b"}, {"LABEL_0": 0, "LABEL_1": 1}),  # named later
        ({0: "LABEL_0", 1: "LABEL_1"}, {"a": 0, "b": 1}),
        ({0: "a", 1: "b"}, {"A": "0", "alpha": 0, "b": 1}),  # two names of one
    ],
)
def test_half_of_a_config_is_enough(id2label, label2id):
    found = AutoConfig.for_model("bert", num_labels=2)
    found.id2label, found.label2id = id2label, label2id
    assert order(["b", "a"], found) == [1, 0]


def test_params_cannot_rename_what_the_config_names():
    assert "Leave it out there" in refused(["a", "b"], config(["a", "b"]), ["b", "a"])
    assert "classes has 3: a, b, c" in refused(["a", "b"], config(["a", "b"]), ["a", "b", "c"])
    assert order(["a", "b"], config(["a", "b"]), ["A", "B"]) == [0, 1]


def test_names_that_come_twice_are_taken_by_number_where_both_have_one_list():
    """As two of ImageNet's 1000, both `crane`: one flies, one lifts."""
    cranes = ["crane", "tub", "crane", "maillot"]
    assert order(cranes, config(cranes)) == [0, 1, 2, 3]
    told_apart = config(cranes)
    told_apart.label2id = {"crane 0": 0, "tub": 1, "crane 2": 2, "maillot": 3}  # as a published ViT does
    assert order(cranes, told_apart) == [0, 1, 2, 3]
    assert "'crane' comes twice" in refused(["tub", "crane", "crane", "maillot"], config(cranes))
    assert "'tub' comes twice" in refused(
        ["crane", "tub", "tub", "maillot"], config(["crane", "tub", "bib", "maillot"])
    )
    assert "classes has 'bib'" in refused(["crane", "tub", "bib", "maillot"], config(cranes))


def test_letters_of_two_sizes_are_two_classes():
    assert order(["a", "A", "b"], config(["A", "b", "a"])) == [2, 0, 1]


def rows(label, kind):
    features = Features({"text": Value("string"), "label": kind})
    return Dataset.from_dict({"text": ["x"] * len(label), "label": label}, features=features)


def test_names_come_from_the_task_or_from_the_data():
    named = {"evaluate": rows([0, 1], ClassLabel(names=["no", "yes"])), "train": rows([0], Value("int64"))}
    assert names_in(task("classification"), named) == ["no", "yes"]
    assert names_in(task("classification", classes=["No", "Yes"]), named) == ["No", "Yes"]
    assert names_in(task("classification", classes=["no", "yes"]), {"evaluate": rows([0], Value("int64"))})
    numbers = {"evaluate": rows([0], ClassLabel(names=["0", "1"]))}
    assert names_in(task("classification"), numbers) is None
    assert names_in(task("classification", classes=["no", "yes"]), numbers) == ["no", "yes"]


def test_a_task_may_call_classes_otherwise_than_its_data_do():
    """As ImageNet's, which are called `n02012849_crane` in one place and `crane` in another."""
    data = {"evaluate": rows([0, 1], ClassLabel(names=["n1_crane", "n2_tub", "n3_crane"]))}
    renamed = task("classification", classes=["crane", "tub", "crane"])
    assert names_in(renamed, data) == ["crane", "tub", "crane"]
    with pytest.raises(UserError, match="the file has a, b, and split evaluate has n1_crane"):
        names_in(task("classification", classes=["a", "b"]), data)


def test_two_lists_of_names_that_differ_are_a_sentence():
    one, other = (rows([0, 1], ClassLabel(names=names)) for names in (["no", "yes"], ["yes", "no"]))
    with pytest.raises(UserError, match="the file has yes, no, and split evaluate has no, yes"):
        names_in(task("classification", classes=["yes", "no"]), {"evaluate": one})
    with pytest.raises(UserError, match="split calibrate has no, yes, and split evaluate has yes, no"):
        names_in(task("classification"), {"calibrate": one, "evaluate": other})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=2, unique=True), st.data())
def test_classes_that_the_data_write_out_get_the_numbers_of_the_task(classes, data):
    drawn = data.draw(st.lists(st.sampled_from(classes), min_size=1, max_size=5))
    written = [data.draw(st.sampled_from(WRITTEN))(name) for name in drawn]
    told = normalised(rows(written, Value("string")), task("classification", classes=classes))
    assert told["label"] == [classes.index(name) for name in drawn]


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (["yes", "maybe"], ["no", "yes"], "columns.label holds 'maybe', and classes has no such name"),
        (["yes"], None, "columns.label holds 'yes', and the key classes is missing"),
        (["yes"], ["Yes", "YES"], "columns.label holds 'yes', and classes names one twice"),
    ],
)
def test_classes_of_the_data_that_the_task_does_not_name_are_a_sentence(labels, classes, words):
    with pytest.raises(UserError, match=words):
        normalised(rows(labels, Value("string")), task("classification", classes=classes))


def trained():
    """A toy BERT that has learned which of three words a text has, with its tokenizer and examples."""
    texts = [f"{filler} {word} {filler}" for word in ("bad", "plain", "good") for filler in ("a", "the", "it is", "so")]
    data = [{"text": text, "label": number // 4} for number, text in enumerate(texts)]
    spec = load_spec(
        "m",
        {"source": {"config": {"family": "bert"}}, "tasks": ["t"], "tokenizer": {"kind": "wordpiece", "size": 90}}
        | {"train": {"steps": 1, "batch": 1, "learning_rate": 1}},
    )
    reader = train_tokenizer(spec.tokenizer, texts)
    model = toy("bert", vocab_size=len(reader), pad_token_id=reader.pad_token_id)
    optimiser = torch.optim.AdamW(model.parameters(), 0.01)
    batch = reader(texts, padding=True, return_tensors="pt")
    for _ in range(30):
        optimiser.zero_grad()
        model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=torch.arange(12) // 4
        ).loss.backward()
        optimiser.step()
    return model, reader, data


def right(model, task, data, reader):
    """The share of examples whose class is found."""
    return score(model, task, data, reader, Settings()).stats[:, 0].mean()


def test_a_head_in_another_order_keeps_its_accuracy():
    """Rows of the head and id2label exchanged are the same model; by number it would score 0."""
    model, reader, data = trained()
    named = task("classification", classes=["bad", "plain", "good"])
    assert right(model, named, data, reader) == 1
    turned = [2, 0, 1]  # the new logit n is the old one turned[n]
    with torch.no_grad():
        for part in model.classifier.parameters():
            part.copy_(part[turned].clone())
    assert right(model, task("classification"), data, reader) == 0
    names = ["bad", "plain", "good"]
    model.config.id2label = {new: names[old] for new, old in enumerate(turned)}
    model.config.label2id = {name: new for new, name in model.config.id2label.items()}
    assert right(model, named, data, reader) == 1
