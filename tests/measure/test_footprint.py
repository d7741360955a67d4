"""Peak memory in a fresh process is that of weights and work, and close to what is counted."""

import sys

import pytest

from headroom.attention import toy
from headroom.config.speed import Work
from headroom.measure.memory import saved_peak_mb
from headroom.measure.speed import Side, predicted_memory_mb
from headroom.measure.work import task


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_peak_memory_is_weights_and_work():
    model = toy("bert", hidden_size=1024, intermediate_size=4096, num_attention_heads=16)
    work = Work(kind="encode", batch=4, length=32)
    found = saved_peak_mb(model, work)
    predicted = predicted_memory_mb(Side(model, work, task(model, work)))
    assert 140 < predicted < 160
    assert found == pytest.approx(predicted, rel=0.15)
