"""Every two ranked rows of a group against each other, on the same resamples of the examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from headroom.results.rows import PairRow
from headroom.results.stats import percentiles

Members = Sequence[Mapping[str, Any]]


def pair_rows(members: Members, draws: np.ndarray | None) -> Iterator[PairRow]:
    """One row for each two of ``members``; ``draws`` are their areas, shape (members, resamples).

    Without per-example statistics there are no draws and no rows: intervals that are not paired stand on the page.
    """
    if draws is None:
        return
    for better, other in combinations(range(len(members)), 2):
        one, two = members[better], members[other]
        gap = one["area"] - two["area"]
        low, high = percentiles(draws[better] - draws[other], gap)
        names = {name: one[name] for name in ("model", "task", "setting", "group", "method")}
        yield PairRow(**names, other=two["method"], difference=gap, difference_low=low, difference_high=high)
