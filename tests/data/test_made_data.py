"""Data made here are the same every time, and made so that attention matters."""

import re
import runpy

import pytest

from headroom.config.tasks import tasks_folder


def load(name: str) -> dict:
    return runpy.run_path(str(tasks_folder() / f"{name}.py"))


@pytest.mark.parametrize("name", ["toys", "digits"])
def test_made_data_follow_the_seed(name):
    make = load(name)["make"]
    assert make(0) == make(0)
    assert make(0) != make(1)


@pytest.fixture(scope="module")
def pairs() -> list[dict]:
    return load("constructed_pair")["make"](0)["evaluate"]


def test_sentences_are_short_enough_to_decode_fast(pairs):
    lengths = [len(pair["source"].split()) for pair in pairs]
    assert 8 <= sum(lengths) / len(lengths) <= 16
    assert max(lengths) <= 24


def test_rare_names_are_copied(pairs):
    for pair in pairs:
        names = re.findall(r"[A-Z]\w+", pair["source"])
        assert sorted(names) == sorted(re.findall(r"[A-Z]\w+", pair["target"]))


def test_one_source_word_has_many_translations(pairs):
    """The verb comes last in both, so its forms are easy to collect: sense, tense, number and first sound."""
    forms = {pair["target"].split()[-1] for pair in pairs if " and it rile " in pair["source"]}
    assert len(forms) >= 4


@pytest.fixture(scope="module")
def documents() -> dict:
    return load("pydocs")["make"](0)


def key(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


@pytest.mark.parametrize("table", ["text", "package"])
def test_texts_that_differ_in_spaces_only_are_not_in_two_splits(documents, table):
    splits = [{key(row["text"]) for row in documents[f"{table}_{name}"]} for name in ("train", "calibrate", "evaluate")]
    assert not (splits[0] & splits[1] or splits[0] & splits[2] or splits[1] & splits[2])


def test_a_question_has_four_choices_that_the_context_has_not_named(documents):
    for row in documents["cloze_evaluate"]:
        wrong = [choice.strip() for at, choice in enumerate(row["choices"]) if at != row["gold"]]
        assert len({*row["choices"]}) == 4
        assert not {word.lower() for word in wrong} & set(re.findall(r"[a-z]+", row["context"].lower()))


def test_eight_packages_are_told_apart(documents):
    assert {row["label"] for row in documents["package_evaluate"]} == set(range(8))
