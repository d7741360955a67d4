"""Targets are encoded as targets, and a translation begins in the language that its task names."""

from types import SimpleNamespace

import pytest
import torch
from contract_helpers import task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from translator_kinds import CODED, FOREIGN, LANGUAGES, PLAIN, WORDS, m2m, marian, mbart, nllb, size, t5

from headroom.attention import toy
from headroom.data.batches import IGNORED, shifted
from headroom.data.contract import Contract
from headroom.errors import UserError
from headroom.evaluate.scores import Settings
from headroom.evaluate.translation import Translation

MADE = PLAIN | CODED
FAMILY = {"nllb": "m2m_100", "mbart50": "mbart"}
PREFIX = {"task_specific_params": {"translation_en_to_de": {"prefix": "translate English to German: "}}}
ROWS = [{"source": "the cat says no", "target": "a dog"}, {"source": "no", "target": "the cat runs under it"}]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from([*WORDS, *FOREIGN]), min_size=1, max_size=12).map(" ".join),
        st.text(max_size=20),
        st.sampled_from(["</s>", "the </s> cat", ">>rus<< no", "__de__", "eng_Latn a", "<pad> a", "  ", "我们今天"]),
    ),
    min_size=1,
    max_size=5,
)
SLOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def languages(kind: str) -> dict:
    """The key of a task for a tokenizer that is told its languages; nothing for another."""
    return {"languages": dict(zip(("source", "target"), LANGUAGES[kind], strict=False))} if kind in CODED else {}


def translator(kind: str, reader=None, stated=None, family=None, **changes):
    """A toy with the vocabulary and the marks of a tokenizer, and what it wants of its input."""
    reader = reader or MADE[kind]()
    marks = {"pad_token_id": reader.pad_token_id, "eos_token_id": reader.eos_token_id, "bos_token_id": None}
    family = (
        family
        or FAMILY.get(kind)
        or next((name for name in ("marian", "mbart", "t5") if kind.startswith(name)), "m2m_100")
    )
    marks["decoder_start_token_id"] = reader.pad_token_id if family in ("marian", "t5") else reader.eos_token_id
    model = toy(family, **({"vocab_size": size(reader)} | marks | changes))
    for key, value in (stated or {}).items():
        setattr(model.generation_config, key, value)
    return model, Contract.of(model, reader)


@pytest.mark.parametrize("kind", MADE)
def test_labels_are_what_the_tokenizer_makes_of_a_target(kind):
    """Each alone, cut at the length; behind it nothing counts. Sources stay sources."""
    _, contract = translator(kind)
    said, alone = contract.spoken(task("translation", **languages(kind))), MADE[kind]()
    if kind in CODED:
        alone.src_lang, alone.tgt_lang = LANGUAGES[kind][2:]

    @settings(max_examples=15, **SLOW)
    @given(TEXTS, st.sampled_from([4, 9, 128]))
    def claim(texts, length):
        contract_of = Contract(contract.config, contract.tokenizer, length=length)
        collator = contract_of.collator(task("translation", **languages(kind)))
        assert collator.spoken.generation == said.generation
        batch = collator([{"source": text, "target": text[::-1]} for text in texts])
        how = {"truncation": True, "max_length": length}
        for text, ids, mask, labels in zip(texts, *(batch[name].tolist() for name in batch), strict=True):
            source, target = alone(text, **how)["input_ids"], alone(text_target=text[::-1], **how)["input_ids"]
            assert (
                ids[: len(source)] == source and sum(mask) == len(source) == mask.index(0) if 0 in mask else len(mask)
            )
            assert labels == target + [IGNORED] * (len(labels) - len(target))

    claim()


@settings(max_examples=25, **SLOW)
@given(st.lists(st.lists(st.integers(2, 98), min_size=1, max_size=7), min_size=1, max_size=4))
@pytest.mark.parametrize("family", ["bart", "marian", "mbart", "m2m_100", "t5"])
def test_what_the_decoder_reads_is_what_the_model_makes_of_labels(family, rows):
    model = toy(family)
    width = max(map(len, rows))
    labels = torch.tensor([row + [IGNORED] * (width - len(row)) for row in rows])
    given_labels = labels.clone()
    with torch.no_grad():
        own = model(input_ids=torch.full((len(rows), 3), 5), labels=labels).logits
        ours = model(input_ids=torch.full((len(rows), 3), 5), decoder_input_ids=shifted(labels, model)).logits
    assert torch.equal(own, ours) and torch.equal(labels, given_labels)


@pytest.mark.parametrize("kind", CODED)
def test_a_target_begins_with_the_code_of_its_language(kind):
    """Behind the start mark, or in its place: mBART's is turned round to the front."""
    model, contract = translator(kind)
    code = contract.tokenizer.convert_tokens_to_ids({"m2m_100": "__de__"}.get(kind, LANGUAGES[kind][3]))
    read = shifted(contract.collator(task("translation", **languages(kind)))(ROWS)["labels"], model)
    assert read[:, 0 if kind == "mbart" else 1].tolist() == [code, code]


@pytest.mark.parametrize(("kind", "family"), [(kind, None) for kind in MADE] + [(kind, "mbart") for kind in PLAIN])
def test_a_translation_begins_as_in_training(kind, family):
    model, contract = translator(kind, family=family)
    collator = contract.collator(task("translation", **languages(kind)))
    read = shifted(collator(ROWS)["labels"], model)
    evaluated = Translation("mine", ROWS, collator, Settings(max_new_tokens=5), task("translation").metric)
    tokens = torch.cat([evaluated.generate(model, inputs, 5)[:, :2] for _, inputs in evaluated.batches])
    told = 2 if "forced_bos_token_id" in collator.spoken.generation else 1
    assert torch.equal(tokens[:, :told], read[:, :told])


@pytest.mark.parametrize(("kind", "names"), [(kind, LANGUAGES[kind]) for kind in CODED])
def test_a_language_goes_by_its_code_or_the_first_part_of_it(kind, names):
    _, contract = translator(kind)
    said = contract.spoken(task("translation", **languages(kind)))
    assert (said.tokenizer.src_lang, said.tokenizer.tgt_lang) == names[2:]
    assert said.said == f"{names[2]} to {names[3]}, the first token of a translation is forced"
    assert said.tokenizer is not contract.tokenizer and contract.tokenizer.tgt_lang is None


def test_params_say_what_a_tokenizer_calls_a_language():
    model, _ = translator("mbart")
    contract = Contract.of(model, mbart(), languages={"English": "en_XX", "German": "de"})
    said = contract.spoken(task("translation", languages={"source": "English", "target": "German"}))
    assert (said.tokenizer.src_lang, said.tokenizer.tgt_lang) == ("en_XX", "de_DE")
    wrong = Contract.of(model, mbart(), languages={"German": "deu"})
    with pytest.raises(UserError, match=r"models\.NAME\.languages\.German is 'deu', and the model has no"):
        wrong.spoken(task("translation", languages={"source": "en", "target": "German"}))


@pytest.mark.parametrize(
    ("kind", "named", "words"),
    [
        ("m2m_100", None, ["languages: this key is missing", "the model wants to be told both", "af, am, ar"]),
        ("nllb", None, ["languages: this key is missing", "ace_Arab"]),
        ("mbart", None, ["languages: this key is missing", "ar_AR"]),
        ("t5", None, ["languages: this key is missing", "translation_en_to_de"]),
        ("marian", None, ["languages: this key is missing", ">>deu<<, >>rus<<"]),
        ("nllb", ("eng", "zho"), ["languages.target is 'zho'", "zho_Hans and zho_Hant", "Name one of them."]),
        ("m2m_100", ("xx", "de"), ["languages.source is 'xx'", "has no such language", "It has 100"]),
        ("mbart", ("en", "eng_Latn"), ["languages.target is 'eng_Latn'", "models.NAME.languages says so"]),
        ("marian", ("en", "fr"), ["languages.target is 'fr'", "It has 2, such as deu, rus"]),
        ("t5", ("de", "en"), ["has no translation_de_to_en", "Did you mean 'translation_en_to_de'"]),
    ],
)
def test_a_language_that_is_not_said_or_not_known_is_a_sentence(kind, named, words):
    reader = {"marian": lambda: marian(">>rus<<", ">>deu<<"), "t5": t5}.get(kind, MADE.get(kind))()
    _, contract = translator(kind, reader, **(PREFIX if kind == "t5" else {}))
    keys = {"languages": dict(zip(("source", "target"), named, strict=True))} if named else {}
    (said,) = contract.troubles(task("translation", **keys))
    assert all(word in said for word in words), said
    assert said.startswith("tasks/mine.yaml: languages") and said.endswith(".") and len(said) < 400


@pytest.mark.parametrize(
    ("kind", "key"),
    [("m2m_100", "forced_bos_token_id"), ("mbart50", "forced_bos_token_id"), ("mbart", "decoder_start_token_id")],
)
def test_a_model_that_is_made_to_speak_another_language_is_a_sentence(kind, key):
    reader = CODED[kind]()
    other = "__fr__" if kind == "m2m_100" else "fr_XX"
    _, contract = translator(kind, reader, {key: reader.convert_tokens_to_ids(other)})
    (said,) = contract.troubles(task("translation", **languages(kind)))
    assert f"generation_config.json: {key} makes every translation begin with '{other}'" in said
    _, same = translator(kind, reader, {key: reader.convert_tokens_to_ids("__de__" if kind == "m2m_100" else "de_DE")})
    assert not same.troubles(task("translation", **languages(kind)))


def test_marian_of_several_targets_is_told_in_front_of_a_source():
    _, contract = translator("marian", marian(">>rus<<", ">>deu<<"))
    spoken_to = task("translation", languages={"source": "en", "target": "rus"})
    batch = contract.collator(spoken_to)(ROWS)
    assert contract.tokenizer.convert_ids_to_tokens(batch["input_ids"][:, 0].tolist()) == [">>rus<<"] * 2
    assert batch["labels"][0].tolist()[:3] == contract.tokenizer(text_target="a dog")["input_ids"][:3]
    assert contract.stated(spoken_to)["languages"] == "'>>rus<<' before each source"


def test_t5_is_told_in_words_of_its_config():
    _, contract = translator("t5", t5(), **PREFIX)
    batch = contract.collator(task("translation", languages={"source": "en", "target": "de"}))(ROWS)
    wanted = contract.tokenizer("translate English to German: the cat says no")["input_ids"]
    assert batch["input_ids"][0].tolist() == wanted
    assert batch["labels"][0].tolist()[:3] == contract.tokenizer("a dog")["input_ids"][:3]


def test_a_model_of_one_pair_needs_no_names_and_takes_some():
    for keys in ({}, {"languages": {"source": "en", "target": "de"}}):
        _, contract = translator("marian")
        assert contract.stated(task("translation", **keys))["languages"] == "one pair, which the model knows"
        assert contract.collator(task("translation", **keys)).spoken.generation == {}


def test_a_code_behind_a_target_is_for_mbart_alone():
    _, contract = translator("nllb", nllb(legacy_behaviour=True))
    (said,) = contract.troubles(task("translation", **languages("nllb")))
    assert "puts deu_Latn behind a target, and a m2m_100 model wants it in front" in said


def test_a_vocabulary_without_the_languages_is_a_sentence():
    """M2M100 numbers its languages behind the pieces, and its length leaves them out."""
    reader = m2m()
    _, contract = translator("m2m_100", reader, vocab_size=len(reader))
    (said,) = contract.troubles(task("translation", **languages("m2m_100")))
    assert f"de is token {reader.convert_tokens_to_ids('__de__')}, and config.json: vocab_size is {len(reader)}" in said


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"eos_token_id": 9}, ["ends a text with '</s>'", "generation_config.json: eos_token_id is 9"]),
        ({"pad_token_id": 9}, ["generation_config.json: pad_token_id is 9", "filled up with words"]),
    ],
)
def test_marks_on_which_generation_and_tokenizer_differ_are_a_sentence(stated, words):
    _, contract = translator("marian", None, stated)
    (said,) = contract.troubles(task("translation"))
    assert all(word in said for word in words), said


def test_a_model_that_stops_at_the_tokenizers_mark_among_others_is_fine():
    model, contract = translator("marian", None, {"eos_token_id": [9, 0]})
    assert not contract.troubles(task("translation"))
    quiet = SimpleNamespace(eos_token_id=None, pad_token_id=None)
    assert not Contract(model.config, contract.tokenizer, generation=quiet).troubles(task("translation"))
