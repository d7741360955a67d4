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
from headroom.results.stats import median_interval

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
    pairs: int
    dense_ms: float
    removed_ms: float
    wall_ratio: float
    removed_wall_ms: float
    samples: tuple[float, ...] = ()  # the ratio of each pair, in the order of timing

    @property
    def noisy(self) -> bool:
        """The interval is wider than a tenth of the median: marked, never dropped."""
        return too_wide(self.ratio, self.low, self.high)


def too_wide(ratio: float, low: float, high: float) -> bool:
    return high - low > NOISY * ratio


def compare(
    dense: Call,
    removed: Sequence[Call],
    pairs: int,
    clock: Clock,
    wall_threads: int | None = None,
    most: int | None = None,
) -> list[Paired]:
    """Time every removed call against one shared series of dense calls.

    The ratio with its interval comes from one thread and the clock's busy time, in ``pairs`` pairs, and in up to
    ``most`` of them while a ratio is noisy. The wall-clock ratio beside it comes from ``wall_threads`` threads (the
    current number if not given), in fewer pairs where threads that wait for each other on a busy machine make it slow:
    it carries no verdict. The number of threads is put back.
    """
    calls = [dense, *removed]
    with threads(1) as before:
        for call in calls * WARM_UP:
            call()
        busy, wall = interleaved(calls, pairs, clock, most=most)
    many = wall_threads or before
    if many > 1:
        with threads(many):
            for call in calls:
                call()
            _, wall = interleaved(calls, pairs, clock, seconds=float(wall.sum()))
    return [verdict(busy[:, 0], busy[:, place], wall[:, 0], wall[:, place]) for place in range(1, len(calls))]


def interleaved(
    calls: Sequence[Call], pairs: int, clock: Clock, seconds: float = np.inf, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Busy and wall seconds, each of shape (pairs, calls), in the order A B C C B A A B C ...

    Goes on to ``most`` pairs while a ratio to the first call is noisy; ends early after ``seconds`` of wall clock, but
    not before ``WALL_PAIRS`` pairs.
    """
    busy: list[list[float]] = []
    wall: list[list[float]] = []
    while len(busy) < pairs or (len(busy) < (most or pairs) and unsettled(np.array(busy))):
        forward = len(busy) % 2 == 0
        laps = [clock.time(call) for call in (calls if forward else reversed(calls))]
        laps = laps if forward else laps[::-1]
        busy.append([lap.busy for lap in laps])
        wall.append([lap.wall for lap in laps])
        if len(wall) >= WALL_PAIRS and np.sum(wall) > seconds:
            break
    return np.array(busy), np.array(wall)


def unsettled(busy: np.ndarray) -> bool:
    """Whether any call's ratio to the first one still has a wide interval; seconds of shape (pairs, calls)."""
    return any(too_wide(*median_interval(busy[:, 0] / one)) for one in busy[:, 1:].T)


def verdict(dense: np.ndarray, removed: np.ndarray, dense_wall: np.ndarray, removed_wall: np.ndarray) -> Paired:
    """Medians of the pairs (seconds, shape (pairs,)) and the order-statistic interval of the ratio."""
    ratio, low, high = median_interval(dense / removed)
    return Paired(
        ratio=ratio,
        low=low,
        high=high,
        pairs=len(dense),
        dense_ms=1000 * float(np.median(dense)),
        removed_ms=1000 * float(np.median(removed)),
        wall_ratio=float(np.median(dense_wall / removed_wall)),
        removed_wall_ms=1000 * float(np.median(removed_wall)),
        samples=tuple(dense / removed),
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
