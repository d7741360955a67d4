"""What only a GPU can give is computed from parts that need none."""

import pytest
import torch

from headroom.measure.extras import MOST, joules, largest, per_call


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 8, 100, 1023])
def test_the_largest_batch_is_found(limit):
    asked = []

    def fit(batch):
        asked.append(batch)
        return batch <= limit

    assert largest(fit) == limit
    assert len(asked) <= 2 * (limit + 2).bit_length()


def test_the_search_for_a_batch_ends():
    assert largest(lambda batch: True) == MOST


def test_energy_is_shared_among_the_calls_of_a_run(monkeypatch):
    monkeypatch.setattr("headroom.measure.extras.SECONDS", 0.0)
    meter = {"joules": 100.0}

    def call():
        meter["joules"] += 2.5

    assert per_call(call, lambda: meter["joules"], lambda: None) == 2.5


def test_a_cpu_has_no_energy_figure():
    assert joules(lambda: None, torch.device("cpu")) is None
