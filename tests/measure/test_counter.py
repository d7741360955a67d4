"""One counter for every ideal: held against closed forms, against the counter of quality records, and against sizes."""

import pytest
import torch

from headroom.attention import FAMILY_NAMES, toy, toy_batch
from headroom.attention.counting import multiply_accumulates
from headroom.measure.counter import Cost, cost

BATCH, TOKENS, SOURCE = 2, 8, 6


def attention(width, tokens, keys, inner=None, kv=None):
    """Multiply-accumulates of one attention: queries and output, keys and values, scores and weighted values."""
    inner = inner or width
    return 2 * tokens * width * inner + 2 * keys * width * (kv or inner) + 2 * tokens * keys * inner


def mlp(width, tokens, hidden, matrices=2):
    return matrices * tokens * width * hidden


def encoder(tokens, layers=3):
    return layers * (attention(32, tokens, tokens) + mlp(32, tokens, 48))


def words(count):
    return {"input_ids": torch.arange(4, 4 + BATCH * count).view(BATCH, count)}


# family: (inputs, multiply-accumulates of one example), from the shapes of headroom/attention/toys.py
CLOSED = {
    "bert": (words(TOKENS), encoder(TOKENS) + 32 * 32 + 32 * 3),
    "distilbert": (words(TOKENS), encoder(TOKENS) + 32 * 32 + 32 * 3),
    "vit": ({"pixel_values": torch.zeros(BATCH, 3, 16, 16)}, encoder(17) + 16 * 32 * 3 * 4 * 4 + 32 * 3),
    "gpt2": (words(TOKENS), 3 * (attention(32, TOKENS, TOKENS) + mlp(32, TOKENS, 128)) + TOKENS * 32 * 99),
    "llama": (
        words(TOKENS),
        4 * (attention(32, TOKENS, TOKENS, inner=64, kv=16) + mlp(32, TOKENS, 48, 3)) + TOKENS * 32 * 99,
    ),
    "marian": (
        words(SOURCE) | {"decoder_input_ids": words(TOKENS)["input_ids"]},
        encoder(SOURCE) + encoder(TOKENS) + 3 * attention(32, TOKENS, SOURCE) + TOKENS * 32 * 99,
    ),
    "t5": (
        words(SOURCE) | {"decoder_input_ids": words(TOKENS)["input_ids"]},
        3 * (attention(32, SOURCE, SOURCE) + mlp(32, SOURCE, 48, 3))
        + 3 * (attention(32, TOKENS, TOKENS) + attention(32, TOKENS, SOURCE) + mlp(32, TOKENS, 48, 3))
        + TOKENS * 32 * 99,
    ),
}


@pytest.mark.parametrize("family", CLOSED)
def test_multiply_accumulates_are_the_closed_form(family):
    inputs, expected = CLOSED[family]
    model = toy(family)
    assert cost(lambda: model(**inputs), model).macs == BATCH * expected


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_both_counters_of_the_package_agree(family):
    model, batch = toy(family), toy_batch(family)
    if not model.config.is_encoder_decoder:
        batch.pop("labels")
    assert cost(lambda: model(**batch), model).macs == multiply_accumulates(model, batch)


def test_a_weight_is_read_by_every_product_and_by_nothing_else():
    model = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Linear(8, 16), torch.nn.LayerNorm(16))
    ids = torch.arange(3)
    once = cost(lambda: model(ids), model)
    assert once.bytes == 4 * (8 * 16 + 16), "the matrix and its bias; no table, no norm"
    assert cost(lambda: (model(ids), model(ids)), model).bytes == 2 * once.bytes


def test_memory_is_the_most_that_is_alive_at_once():
    model = torch.nn.Linear(1, 1)

    def call():
        first = torch.ones(1000)
        second = first + 1
        del first
        return second * 2

    assert cost(call, model).memory == 8000, "two of the three tensors of 4,000 bytes are alive at once"


def test_views_are_no_new_memory():
    model = torch.nn.Linear(1, 1)
    assert cost(lambda: torch.ones(10, 10).t().reshape(100)[:50].sum(), model).memory <= 400 + 400 + 4
    assert cost(lambda: torch.ones(100).view(10, 10).t(), model) == Cost(0, 0, 400)
