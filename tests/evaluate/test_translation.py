"""What a translation scores is sacreBLEU's number, and it does not depend on the batch that it is made in."""

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, metric, sentences, task, tokenizer
from sacrebleu.metrics import BLEU, CHRF

from headroom.data.contract import Contract
from headroom.evaluate import Evaluation, NotFinite, Settings, score
from headroom.results.aggregates import AGGREGATES


@pytest.fixture(scope="module")
def reader():
    return tokenizer()


@pytest.fixture(scope="module")
def model(reader):
    return fitting("marian", reader)


@pytest.fixture(scope="module")
def examples():
    return [{"source": text, "target": " ".join(reversed(text.split()))} for text in sentences(17)]


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++"])
def test_scores_equal_sacrebleu_on_the_translations(model, reader, examples, name):
    asked = task("translation").model_copy(update={"metric": metric(name, lowercase=True)})
    evaluation = Evaluation([(asked, examples)], Contract.of(model, reader), Settings())
    scores = evaluation.score(model)["made"]
    references = [example["target"] for example in examples]
    with torch.inference_mode():
        translations = evaluation.evaluators[0].translate(model)
    order = {"chrf": 0, "chrf++": 2}
    theirs = BLEU(lowercase=True) if name == "bleu" else CHRF(lowercase=True, word_order=order[name])
    expected = theirs.corpus_score(translations, [references])
    assert scores.aggregate == name
    assert float(AGGREGATES[name](scores.stats.sum(axis=0))) == expected.score
    assert scores.signature.startswith(f"{theirs.get_signature()}, greedy decoding")


def test_two_metrics_of_the_same_sentences_are_of_one_translation(model, reader, examples, monkeypatch):
    asked = [
        task("translation", name.replace("+", "p")).model_copy(update={"metric": metric(name)})
        for name in ("bleu", "chrf", "chrf++")
    ]
    others = [example | {"source": example["target"]} for example in examples]
    rows = [(asked[0], examples), (asked[1], examples), (asked[2], others)]
    made, generate = [], type(model).generate
    monkeypatch.setattr(type(model), "generate", lambda *a, **k: made.append(1) or generate(*a, **k))
    apart = {}
    for one, some in rows:
        apart |= Evaluation([(one, some)], Contract.of(model, reader), Settings()).score(model)
    alone, together = len(made), Evaluation(rows, Contract.of(model, reader), Settings())
    found = together.score(model)
    assert len(made) - alone < alone and len(together.evaluators) == 2
    for name, scores in found.items():
        np.testing.assert_array_equal(scores.stats, apart[name].stats)
        assert scores.signature == apart[name].signature
    assert set(together.remember(model)[1]) == {"bleu", "chrf", "chrfpp"}


@pytest.mark.parametrize("beams", [1, 2])
def test_translations_do_not_depend_on_the_batch(model, reader, examples, beams):
    alone, together = (
        score(model, task("translation"), examples, reader, Settings(size, 64, 20, beams)).stats for size in (1, 6)
    )
    np.testing.assert_array_equal(alone, together)


def test_signature_states_sacrebleu_and_the_decoding(model, reader, examples):
    signature = score(model, task("translation"), examples[:2], reader, Settings(beams=2, max_new_tokens=9)).signature
    assert signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")  # as in published records
    assert "beam 2" in signature and "min(9, 2 x source + 10)" in signature


def test_a_model_that_gives_nan_raises_and_names_the_task(reader, examples):
    broken = fitting("marian", reader)
    with torch.no_grad():
        broken.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="newspapers"):
        score(broken, task("translation", "newspapers"), examples[:3], reader, Settings(max_new_tokens=5))


def test_a_language_without_spaces_is_warned_of_once(reader, caplog):
    rows = [{"source": "w1 w2", "target": "我们今天去北京"}] * 3
    for _ in range(2):
        Evaluation(
            [(task("translation", "to-chinese"), rows)], Contract.of(fitting("m2m_100", reader), reader), Settings()
        )
    assert [record.message[:50] for record in caplog.records] == [
        "task to-chinese: Chinese is written without spaces"[:50]
    ]
