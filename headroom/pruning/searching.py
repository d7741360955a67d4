"""Which step of a nested plan meets a budget, by bisection: each step removes more than the one before it.

The more goes, the more is bought and the more is lost. Quality is noisy, so that this holds nearly and not always: what
is found has been measured itself, and what was tried on the way is in the frontier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Holds = Callable[[int], bool]


class Asked(Protocol):
    """What can be asked of a step, from the cheapest question to the dearest. Answers are kept."""

    def small(self, step: int) -> bool:
        """Whether it removes enough units, parameters, memory and cache."""

    def fast(self, step: int) -> bool:
        """Whether it is fast enough."""

    def keeps(self, step: int) -> bool:
        """Whether it keeps within the loss."""


@dataclass(frozen=True)
class Found:
    """The step that meets all; without one the nearest that buys all, and the nearest that keeps within the loss."""

    best: int | None = None
    beyond: int | None = None
    within: int | None = None


def search(steps: int, asked: Asked, small: bool, fast: bool, keeps: bool) -> Found:
    """The first step that buys what is wanted, if it keeps within the loss; where nothing is wanted the last that does.

    ``small``, ``fast`` and ``keeps`` say which questions there are.
    """
    if not small and not fast:
        last = largest(0, steps, asked.keeps)
        return Found(last, within=last)
    first: int | None = 0
    if small:
        first = smallest(0, steps, asked.small)
    if fast and first is not None:
        first = smallest(first, steps, asked.fast)
    if first is None:
        return Found(within=largest(0, steps, asked.keeps) if keeps else None)
    if not keeps or asked.keeps(first):
        return Found(first, first, first)
    return Found(beyond=first, within=largest(0, first, asked.keeps))


def smallest(low: int, high: int, holds: Holds) -> int | None:
    """The first step in ``low .. high - 1`` from which on it holds; None where it does not hold at the last one."""
    if low >= high or not holds(high - 1):
        return None
    found = high - 1
    while low < found:
        middle = (low + found) // 2
        if holds(middle):
            found = middle
        else:
            low = middle + 1
    return found


def largest(low: int, high: int, holds: Holds) -> int | None:
    """The last step in ``low .. high - 1`` up to which it holds; None where it does not hold at the first one."""
    found = None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            found, low = middle, middle + 1
        else:
            high = middle
    return found
