"""What plans say about a planting. A plan is known by the set of units it removes; weights play no part."""

from __future__ import annotations

from collections.abc import Iterable

from headroom.api import Unit
from headroom.planted.drawing import Planted

Drops = Iterable[frozenset[Unit]]


def vital_before_dead(drops: Drops, truth: Planted) -> list[frozenset[Unit]]:
    """The plans that remove a vital unit while a dead one stays: there should be none."""
    return [drop for drop in drops if drop & truth.vital and truth.dead - drop]


def dead_among_first(drops: Drops, truth: Planted) -> float | None:
    """Share of dead units in the largest plan that has room for dead ones only; None without such a plan."""
    small = [drop for drop in drops if 0 < len(drop) <= len(truth.dead)]
    first = max(small, key=len, default=None)
    return None if first is None else len(first & truth.dead) / len(first)


def first_vital(drops: Drops, truth: Planted, units: int) -> float | None:
    """Share of the units that are gone when the first vital one goes, counted with it; None where none ever does.

    The best there can be is ``(units - vital + 1) / units``.
    """
    with_vital = [len(drop) for drop in drops if drop & truth.vital]
    return min(with_vital) / units if with_vital else None


def twins_before_vital(drops: Drops, truth: Planted) -> list[frozenset[Unit]]:
    """The plans that remove a vital unit beside two equal ones and keep both of these: there should be none."""
    if truth.twins is None:
        return []
    pair, site = frozenset(truth.twins), truth.twins[0].site
    near = frozenset(unit for unit in truth.vital if unit.site == site)
    return [drop for drop in drops if drop & near and not drop & pair]
