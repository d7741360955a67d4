"""Agreement with the dense model: nothing for the model itself, and otherwise what a direct computation gives."""

import copy
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, task, tokenizer
from PIL import Image

from headroom.attention import toy
from headroom.config.model_spec import ImageSpec
from headroom.data.contract import Contract
from headroom.data.processors import processor_for
from headroom.evaluate import Evaluation, Settings, predictions
from headroom.evaluate.predictions import KEPT, Predictions, counts
from headroom.results.aggregates import divergence, flips

LINES = sentences(12, 6)
EXAMPLES = {
    "classification": [{"text": line, "label": place % 3} for place, line in enumerate(LINES)],
    "bits-per-byte": [{"text": line} for line in [*LINES, "a longer text of words that nobody has seen before " * 3]],
    "continuation": [{"context": one, "continuation": other} for one, other in pairwise(LINES)],
    "multiple-choice": [
        {"context": one, "choices": [other, other + " w1", "w2"], "gold": 0} for one, other in pairwise(LINES)
    ],
    "translation": [{"source": line, "target": line} for line in LINES],
    "image-classification": [
        {"image": Image.fromarray(pixels), "label": place % 3}
        for place, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (5, 16, 16), dtype=np.uint8))
    ],
}
FAMILIES = {"classification": "bert", "translation": "marian", "image-classification": "vit"}


def dense(evaluator):
    """A toy model for an evaluator, with what reads its examples."""
    if evaluator == "image-classification":
        model = toy("vit", num_channels=1)
        return model, processor_for(ImageSpec(mean=0.5, std=0.5), model.config)
    kinds = {"classification": ("wordpiece", True), "translation": ("word", True)}
    reader = tokenizer(*kinds.get(evaluator, ("bpe", False)))
    return fitting(FAMILIES.get(evaluator, "llama"), reader), reader


def disturbed(model):
    """The same model with other weights."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.3 * parameter.std().nan_to_num() * torch.randn(parameter.shape, generator=generator)
    return other


def evaluation(evaluator, model, reader, settings=None):
    contract = Contract.of(model, reader, length=16)
    return Evaluation([(task(evaluator), EXAMPLES[evaluator])], contract, settings or Settings(4, 16, 20))


def divergences(one, other):
    """KL in bits, (n,), of all answers, from logits (n, answers)."""
    one, other = one.double().log_softmax(-1), other.double().log_softmax(-1)
    return (one.exp() * (one - other)).sum(-1) / math.log(2)


@pytest.mark.parametrize("evaluator", EXAMPLES)
def test_the_dense_model_agrees_with_itself_to_the_last_bit_and_another_one_does_not(evaluator):
    model, reader = dense(evaluator)
    one = evaluation(evaluator, model, reader)
    assert one.score(model)["made"].agreement is None  # nothing to agree with yet
    scores, blind = one.remember(model)
    assert blind["made"] > 0
    again = one.score(copy.deepcopy(model))["made"]
    for same in (scores["made"].agreement, again.agreement):
        assert not same[:, :2].any() and (same[:, 2] >= 1).all()
    np.testing.assert_array_equal(scores["made"].stats, again.stats)  # so that the dense point needs no second pass
    other = one.score(disturbed(model))["made"].agreement
    assert (other[:, 0] > 0).mean() > 0.5 and (other[:, 1] <= other[:, 2]).all()


@pytest.mark.parametrize("evaluator", EXAMPLES)
def test_it_does_not_depend_on_the_batch(evaluator):
    model, reader = dense(evaluator)
    other, found = disturbed(model), []
    for settings in (Settings(1, 16, 20), Settings(None, 16, 20, tokens=40)):
        one = evaluation(evaluator, model, reader, settings)
        found.append((one.remember(model)[1]["made"], one.score(other)["made"].agreement))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-6)


@torch.no_grad()
def test_of_a_classifier_it_is_the_divergence_of_its_classes():
    model, reader = dense("classification")
    other = disturbed(model)
    one = evaluation("classification", model, reader)
    blind = one.remember(model)[1]["made"]
    found = one.score(other)["made"].agreement
    asked = [reader(example["text"], return_tensors="pt") for example in EXAMPLES["classification"]]
    whole, left = (torch.cat([it(**text).logits for text in asked]) for it in (model, other))
    np.testing.assert_allclose(found[:, 0], divergences(whole, left), rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(found[:, 1], whole.argmax(-1) != left.argmax(-1))
    mean = whole.softmax(-1).mean(0).log()
    assert blind == pytest.approx(float(divergences(whole, mean.expand_as(whole)).mean()), rel=1e-4)
    assert float(divergence(found.sum(axis=0))) == pytest.approx(float(divergences(whole, left).mean()), rel=1e-4)
    assert float(flips(found.sum(axis=0))) == float((whole.argmax(-1) != left.argmax(-1)).double().mean())


@torch.no_grad()
def test_of_a_text_it_is_that_of_every_token(monkeypatch):
    monkeypatch.setattr(predictions, "KEPT", 1000)  # all of the vocabulary
    model, reader = dense("bits-per-byte")
    other = disturbed(model)
    one = evaluation("bits-per-byte", model, reader)
    one.remember(model)
    found = one.score(other)["made"].agreement
    for place, example in enumerate(EXAMPLES["bits-per-byte"][:-1]):  # the last one has several windows
        ids = torch.tensor([[reader.bos_token_id, *reader.encode(example["text"], add_special_tokens=False)]])[:, :-1]
        whole, left = model(ids).logits[0], other(ids).logits[0]
        expected = [divergences(whole, left).sum(), (whole.argmax(-1) != left.argmax(-1)).sum(), ids.shape[1]]
        np.testing.assert_allclose(found[place], expected, rtol=1e-4)
    assert found[-1, 2] == len(reader.encode(EXAMPLES["bits-per-byte"][-1]["text"], add_special_tokens=False))


@torch.no_grad()
def test_of_a_translation_it_is_that_of_the_tokens_of_the_dense_models_own():
    model, reader = dense("translation")
    other = disturbed(model)
    one = evaluation("translation", model, reader)
    one.remember(model)
    found = one.score(other)["made"].agreement
    (asked,) = one.evaluators
    inputs = reader(EXAMPLES["translation"][0]["source"], return_tensors="pt")
    own = asked.own[0][None]
    whole, left = (it(**inputs, decoder_input_ids=own[:, :-1]).logits[0] for it in (model, other))
    expected = [divergences(whole, left).sum(), (whole.argmax(-1) != left.argmax(-1)).sum(), own.shape[1] - 1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)


def test_of_a_choice_it_is_that_of_how_likely_the_choices_are_beside_each_other():
    seen = Predictions(even=True)
    one, other = (torch.tensor([values]).log_softmax(-1) for values in ([-3.0, -1.0], [-1.0, -2.0]))
    assert counts(seen.changes("question", one)).tolist() == [0, 0, 1]
    assert counts(seen.changes("question", other)).tolist() == [
        pytest.approx(float(divergences(one, other)[0]), rel=1e-6),
        1,
        1,
    ]
    assert seen.blind() == pytest.approx(float(divergences(one, torch.zeros(1, 2))[0]), rel=1e-6)


def test_of_a_large_vocabulary_the_likeliest_are_kept_and_the_rest_is_one():
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(3, 1000, generator=draw) * 3 for _ in range(2))
    seen = Predictions()
    seen.changes(0, one.log_softmax(-1))
    found = seen.changes(0, other.log_softmax(-1))[:, 0]
    assert seen.kept[0].log_probabilities.shape == (3, KEPT + 1)
    whole = divergences(one, other).numpy()
    assert (found <= whole).all() and (found > 0.7 * whole).all()


def test_what_the_dense_model_was_not_asked_cannot_be_compared():
    seen = Predictions()
    seen.changes("known", torch.zeros(1, 2).log_softmax(-1))
    seen.closed = True
    with pytest.raises(KeyError, match="unknown"):
        seen.changes("unknown", torch.zeros(1, 2).log_softmax(-1))


@pytest.mark.parametrize("evaluator", EXAMPLES)
def test_what_the_model_says_to_the_first_examples_is_kept(evaluator):
    model, reader = dense(evaluator)
    said = evaluation(evaluator, model, reader).score(model)["made"].said
    assert len(said) == 4 and all(isinstance(words, str) for words in said)
    if evaluator == "multiple-choice":
        assert all(words in example["choices"] for words, example in zip(said, EXAMPLES[evaluator], strict=False))
