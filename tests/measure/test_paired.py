"""The timing protocol, with a clock that is told what a call costs: nothing here depends on the machine's speed."""

import numpy as np
import pytest
import torch

from headroom.measure.clock import Lap
from headroom.measure.paired import WALL_PAIRS, WARM_UP, compare, interleaved


class FakeClock:
    """Calls return their own (busy, wall) seconds; the clock believes them and notes who was asked."""

    def __init__(self):
        self.laps = []

    def time(self, call):
        lap = call()
        self.laps.append(lap)
        return Lap(*lap)


def costing(*busy, wall=None):
    """A call that takes these busy seconds in turn, over and over."""
    turns = {"next": 0}

    def call():
        busy_now = busy[turns["next"] % len(busy)]
        turns["next"] += 1
        return busy_now, busy_now if wall is None else wall

    return call


def test_calls_are_interleaved_there_and_back():
    order = []

    def named(name):
        return lambda: order.append(name) or (1.0, 1.0)

    interleaved([named("A"), named("B")], 4, FakeClock())
    assert "".join(order) == "ABBAABBA"
    order.clear()
    interleaved([named("A"), named("B"), named("C")], 2, FakeClock())
    assert "".join(order) == "ABCCBA"


def test_twice_the_dense_time_is_a_speed_up_of_one_half():
    faster, slower = compare(costing(0.2), [costing(0.1), costing(0.4)], 15, FakeClock(), wall_threads=1)
    assert (faster.ratio, faster.low, faster.high) == (2.0, 2.0, 2.0)
    assert slower.ratio == 0.5
    assert faster.dense_ms == pytest.approx(200) and faster.removed_ms == pytest.approx(100)
    assert not faster.noisy


def test_a_drift_of_the_machine_leaves_the_ratio_alone():
    class Drifting(FakeClock):
        def time(self, call):
            lap = super().time(call)
            factor = 1.01 ** len(self.laps)
            return Lap(lap.busy * factor, lap.wall * factor)

    (pair,) = compare(costing(0.3), [costing(0.2)], 20, Drifting(), wall_threads=1)
    assert pair.ratio == pytest.approx(1.5, rel=0.011)
    assert pair.low <= 1.5 <= pair.high


def test_one_outlier_moves_nothing_and_a_wide_interval_is_marked():
    (calm,) = compare(costing(*[0.2] * 14, 9.0), [costing(0.1)], 15, FakeClock(), wall_threads=1)
    assert calm.ratio == 2.0 and not calm.noisy
    (wild,) = compare(costing(0.1, 0.2, 0.3), [costing(0.1)], 15, FakeClock(), wall_threads=1)
    assert wild.noisy and wild.low < wild.ratio < wild.high


def test_a_noisy_timing_goes_on_until_it_settles_or_the_most_pairs_are_there():
    (never,) = compare(costing(0.1, 0.2, 0.3), [costing(0.1)], 15, FakeClock(), wall_threads=1, most=41)
    assert never.pairs == 41 and never.noisy
    unrest = [0.1, 0.3] * 10  # warm-up and the first pairs, then quiet
    (later,) = compare(costing(*unrest, *[0.2] * 200), [costing(0.1)], 15, FakeClock(), wall_threads=1, most=41)
    assert 15 < later.pairs < 41 and not later.noisy
    (calm,) = compare(costing(0.2), [costing(0.1)], 15, FakeClock(), wall_threads=1, most=41)
    assert calm.pairs == 15


def test_every_side_is_warmed_up_before_the_first_pair():
    clock, calls = FakeClock(), []
    compare(lambda: calls.append(0) or (1.0, 1.0), [lambda: calls.append(1) or (1.0, 1.0)], 15, clock, wall_threads=1)
    assert len(clock.laps) == 30
    assert len(calls) == 30 + 2 * WARM_UP
    assert sorted(calls[: 2 * WARM_UP]) == [0] * WARM_UP + [1] * WARM_UP


def test_the_verdict_is_on_one_thread_and_wall_clock_on_the_pinned_ones():
    pinned, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:

        def call():
            seen.append(torch.get_num_threads())
            return (1.0, 5.0) if seen[-1] == 1 else (7.0, 3.0)

        (pair,) = compare(call, [call], 15, FakeClock())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(pinned)
    assert set(seen) == {1, 2}
    assert (pair.dense_ms, pair.removed_wall_ms) == (1000.0, 3000.0)


def test_threads_come_back_after_an_error():
    pinned = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            compare(lambda: 1 / 0, [], 15, FakeClock())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(pinned)


def test_a_slow_wall_clock_series_ends_early_but_not_before_its_least_pairs():
    _, wall = interleaved([costing(1.0), costing(1.0)], 15, FakeClock(), seconds=9.0)
    assert wall.shape == (5, 2)
    _, wall = interleaved([costing(1.0), costing(1.0)], 15, FakeClock(), seconds=0.0)
    assert wall.shape == (WALL_PAIRS, 2)
    assert np.isfinite(wall).all()
