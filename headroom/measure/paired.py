"""Dense and removed calls interleaved A B B A, so that a busy or throttled machine slows both sides alike.

Over 8 to 12 repeats of one comparison on a machine with four burst processes, the median of such pair ratios spread by
4 % in process time on one thread; timing all of one side and then all of the other spread by 75 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from headroom.measure.clock import Clock
from headroom.stats import median_interval

WARM_UP = 3  # calls of each side before the first pair
WALL_PAIRS = 3  # least number of pairs of the wall-clock series, which stops when it has taken as long as the other
NOISY = 0.10  # width of the interval, share of the median

Call = Callable[[], Any]


@dataclass(frozen=True)
class Paired:
    """One removed call against the dense one. A ratio above 1 means that the removed one is faster."""

    ratio: float
    low: float
    high: float
    dense_ms: float
    removed_ms: float
    wall_ratio: float
    removed_wall_ms: float

    @property
    def noisy(self) -> bool:
        """The interval is wider than a tenth of the median: marked, never dropped."""
        return self.high - self.low > NOISY * self.ratio


def compare(
    dense: Call, removed: Sequence[Call], pairs: int, clock: Clock, wall_threads: int | None = None
) -> list[Paired]:
    """Time every removed call against one shared series of dense calls.

    The ratio with its interval comes from one thread and the clock's busy time. The wall-clock ratio beside it comes
    from ``wall_threads`` threads (the current number if not given), in fewer pairs where threads that wait for each
    other on a busy machine make it slow: it carries no verdict. The number of threads is put back.
    """
    calls = [dense, *removed]
    with threads(1) as before:
        for call in calls * WARM_UP:
            call()
        busy, wall = interleaved(calls, pairs, clock)
    many = wall_threads or before
    if many > 1:
        with threads(many):
            for call in calls:
                call()
            _, wall = interleaved(calls, pairs, clock, seconds=float(wall.sum()))
    return [verdict(busy[:, 0], busy[:, place], wall[:, 0], wall[:, place]) for place in range(1, len(calls))]


def interleaved(
    calls: Sequence[Call], pairs: int, clock: Clock, seconds: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Busy and wall seconds, each of shape (pairs, calls), in the order A B C C B A A B C ...

    Ends early after ``seconds`` of wall clock, but not before ``WALL_PAIRS`` pairs.
    """
    busy, wall = np.empty((pairs, len(calls))), np.empty((pairs, len(calls)))
    for pair in range(pairs):
        order = range(len(calls)) if pair % 2 == 0 else reversed(range(len(calls)))
        for place in order:
            lap = clock.time(calls[place])
            busy[pair, place], wall[pair, place] = lap.busy, lap.wall
        if pair + 1 >= WALL_PAIRS and wall[: pair + 1].sum() > seconds:
            return busy[: pair + 1], wall[: pair + 1]
    return busy, wall


def verdict(dense: np.ndarray, removed: np.ndarray, dense_wall: np.ndarray, removed_wall: np.ndarray) -> Paired:
    """Medians of the pairs (seconds, shape (pairs,)) and the order-statistic interval of the ratio."""
    ratio, low, high = median_interval(dense / removed)
    return Paired(
        ratio=ratio,
        low=low,
        high=high,
        dense_ms=1000 * float(np.median(dense)),
        removed_ms=1000 * float(np.median(removed)),
        wall_ratio=float(np.median(dense_wall / removed_wall)),
        removed_wall_ms=1000 * float(np.median(removed_wall)),
    )


@contextmanager
def threads(count: int) -> Iterator[int]:
    """Run a block on ``count`` torch threads; gives the number before, which comes back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
