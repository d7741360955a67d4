"""Examples go through a model in batches by tokens, and in halves where memory runs out: the scores are the same."""

import numpy as np
import pytest
import torch
from evaluation_helpers import fitting, sentences, task, tokenizer
from hypothesis import given
from hypothesis import strategies as st

from headroom.data.contract import Contract
from headroom.evaluate import Evaluation, Settings, batching
from headroom.evaluate.batching import by_tokens, in_parts

TEXTS = sentences(21)
CHOICES = [{"context": f"{text} ", "choices": ["w1", "w2 w3"], "gold": 0} for text in TEXTS]
TASKS = {
    "classification": ("bert", [{"text": text, "label": place % 3} for place, text in enumerate(TEXTS)]),
    "translation": ("m2m_100", [{"source": text, "target": text} for text in TEXTS]),
    "bits-per-byte": ("llama", [{"text": text} for text in TEXTS]),
    "multiple-choice": ("llama", CHOICES),
    "continuation": ("llama", [{"context": text, "continuation": "w2 w3"} for text in TEXTS]),
}


@pytest.fixture(scope="module")
def reader():
    return tokenizer()


@pytest.fixture(params=TASKS)
def asked(request, reader):
    """A model, and what scores it with given settings."""
    family, rows = TASKS[request.param]
    model = fitting(family, reader)
    contract = Contract.of(model, reader, length=32)

    def stats(**settings):
        evaluation = Evaluation([(task(request.param), rows)], contract, Settings(max_length=32, **settings))
        return evaluation.score(model)["made"].stats

    return model, stats


def short_of_memory(model, rows):
    """A model whose device holds no more than so many rows at once. Gives the sizes of the batches that it took."""
    taken = []

    def hook(module, args, kwargs):
        batch = next(value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor))
        if len(batch) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        taken.append(len(batch))

    return model.register_forward_pre_hook(hook, with_kwargs=True), taken


def test_batches_by_tokens_give_the_scores_of_one_at_a_time(asked):
    _, stats = asked
    alone = stats(batch_size=1)
    for tokens in (1, 40, 4096):
        np.testing.assert_allclose(stats(batch_size=None, tokens=tokens), alone, rtol=1e-5)


@pytest.mark.parametrize("settings", [{"batch_size": 8}, {"batch_size": None, "tokens": 100}])
def test_a_batch_that_memory_does_not_hold_goes_in_halves(asked, settings):
    model, stats = asked
    whole = stats(**settings)
    handle, taken = short_of_memory(model, rows=2)
    np.testing.assert_allclose(stats(**settings), whole, rtol=1e-5)
    handle.remove()
    assert max(taken) <= 2


def test_a_single_example_that_memory_does_not_hold_ends_the_run(asked):
    model, stats = asked
    short_of_memory(model, rows=0)
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        stats(batch_size=4)


def test_an_error_of_another_kind_is_not_taken_for_a_lack_of_memory(asked):
    model, stats = asked

    def hook(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model.register_forward_pre_hook(hook)
    with pytest.raises(RuntimeError, match="shapes"):
        stats(batch_size=4)


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 1000))
def test_every_batch_keeps_to_its_tokens_and_every_place_is_in_one(sizes, tokens):
    batches = by_tokens(sizes, tokens)
    assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(sizes[place] for place in batch) <= tokens


@given(st.lists(st.integers(1, 9), max_size=20))
def test_rows_of_unlike_sizes_are_looked_at_in_runs(sizes):
    numbers = batching.LARGEST // (batching.FLOAT32 * 10)  # ten tokens a run
    parts = list(in_parts(sizes, numbers, "cpu"))
    assert [size for part, _ in parts for size in sizes[part]] == sizes
    for part, tokens in parts:
        assert tokens.stop - tokens.start == sum(sizes[part])
        assert tokens.stop - tokens.start <= 10
    assert [tokens.start for _, tokens in parts[1:]] == [tokens.stop for _, tokens in parts[:-1]]


def test_a_row_that_is_larger_than_a_run_is_one():
    assert list(in_parts([2, 50, 3], batching.LARGEST // (batching.FLOAT32 * 10), "cpu")) == [
        (slice(0, 1), slice(0, 2)),
        (slice(1, 2), slice(2, 52)),
        (slice(2, 3), slice(52, 55)),
    ]
