"""A figure with its 95 % interval, and how two of them subtract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from headroom.results.stats import independent_difference, over_seeds, percentiles

Array = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """``draws`` are the figure on resamples of the examples, the same ones for all estimates of a model and task.

    ``low`` and ``high`` are None where nothing was sampled, as in the plan of one calibration seed.
    """

    value: float
    low: float | None = None
    high: float | None = None
    draws: Array | None = None

    @classmethod
    def of(cls, value: float, draws: Array) -> Estimate:
        """A figure with its bootstrap draws, shape (resamples,)."""
        return cls(float(value), *percentiles(draws, float(value)), draws)

    @classmethod
    def over(cls, values: Sequence[float]) -> Estimate:
        """The mean of one figure per seed, with Student's interval where there are several seeds."""
        if len(values) == 1:
            return cls(float(values[0]))
        return cls(*over_seeds(values, values, values))

    def __sub__(self, other: Estimate) -> Estimate:
        """Paired where both have draws; otherwise as if independent, which is too wide for the same examples."""
        if self.draws is not None and other.draws is not None:
            return Estimate.of(self.value - other.value, self.draws - other.draws)
        value, low, high = independent_difference(self.ends, other.ends)
        return Estimate(value, float(low), float(high))

    def __mul__(self, factor: float) -> Estimate:
        """Times a positive number."""
        value, draws = factor * self.value, None if self.draws is None else factor * self.draws
        return Estimate(value, value - factor * self.below, value + factor * self.above, draws)

    @property
    def resampled(self) -> Array:
        """The draws of an estimate that is known to have them."""
        assert self.draws is not None
        return self.draws

    @property
    def ends(self) -> tuple[float, float, float]:
        """Value, low and high; the value itself where nothing was sampled."""
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        return self.value, low, high

    def __format__(self, spec: str) -> str:
        """``0.93 [0.90, 0.95]`` with each number in the format asked for; the value alone where nothing was sampled."""
        value, low, high = (format(end, spec) for end in self.ends)
        return value if low == high else f"{value} [{low}, {high}]"

    @property
    def below(self) -> float:
        return self.value - self.ends[1]

    @property
    def above(self) -> float:
        return self.ends[2] - self.value


DENSE = Estimate(1.0, draws=np.ones(1))  # retained quality of the dense model, on every resample


def bootstrap(weights: Array, figure: Callable[[Array], float]) -> Estimate:
    """A figure of per-example weights, with its value on each resample; ``weights`` is (resamples, examples)."""
    return Estimate.of(figure(np.ones(weights.shape[1])), np.array([figure(row) for row in weights]))


def lowest(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate with the lowest value, interval and all."""
    return min(estimates, key=lambda one: one.value)


def highest(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate with the highest value, interval and all."""
    return max(estimates, key=lambda one: one.value)
