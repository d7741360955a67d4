"""BLEU from summed counts is sacreBLEU's, and a translation does not depend on the batch it is made in."""

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, task, tokenizer
from sacrebleu.metrics import BLEU

from headroom.data.text import TranslationCollator
from headroom.evaluate import NotFinite, Settings, score
from headroom.evaluate.translation import Translation, bleu_statistics
from headroom.results.stats import AGGREGATES, bleu


@pytest.fixture(scope="module")
def reader():
    return tokenizer()


@pytest.fixture(scope="module")
def model(reader):
    return fitting("marian", reader)


@pytest.fixture(scope="module")
def examples():
    return [{"source": text, "target": " ".join(reversed(text.split()))} for text in sentences(17)]


def test_bleu_of_summed_counts_is_the_corpus_bleu():
    references = ["the cat sat on the mat .", "a dog barked , twice", "it rained all day long", ""]
    translations = ["the cat sat on a mat .", "a dog barked twice", "", "something"]
    stats = bleu_statistics(translations, references)
    assert stats.shape == (4, 10)
    assert float(bleu(stats.sum(axis=0))) == BLEU().corpus_score(translations, [references]).score


def test_bleu_without_any_match_is_zero():
    assert float(bleu(bleu_statistics(["x y"], ["a b"]).sum(axis=0))) == 0.0


def test_scores_equal_sacrebleu_on_the_translations(model, reader, examples):
    evaluator = Translation("made", examples, TranslationCollator(reader, 64), Settings())
    scores = evaluator.score(model)["made"]
    references = [example["target"] for example in examples]
    with torch.inference_mode():
        expected = BLEU().corpus_score(evaluator.translate(model), [references]).score
    assert float(AGGREGATES[scores.aggregate](scores.stats.sum(axis=0))) == expected


@pytest.mark.parametrize("beams", [1, 2])
def test_translations_do_not_depend_on_the_batch(model, reader, examples, beams):
    alone, together = (
        score(model, task("translation"), examples, reader, Settings(size, 64, 20, beams)).stats for size in (1, 6)
    )
    np.testing.assert_array_equal(alone, together)


def test_signature_states_sacrebleu_and_the_decoding(model, reader, examples):
    signature = score(model, task("translation"), examples[:2], reader, Settings(beams=2, max_new_tokens=9)).signature
    assert "tok:13a" in signature and "smooth:exp" in signature and "version:" in signature
    assert "beam 2" in signature and "min(9, 2 x source + 10)" in signature


def test_a_model_that_gives_nan_raises_and_names_the_task(reader, examples):
    broken = fitting("marian", reader)
    with torch.no_grad():
        broken.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="newspapers"):
        score(broken, task("translation", "newspapers"), examples[:3], reader, Settings(max_new_tokens=5))
