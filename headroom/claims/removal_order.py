"""What a method removes first, read from its plans: how deep it lies, and how much of it is attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from headroom.api import Grain, Unit
from headroom.claims.estimate import Estimate
from headroom.claims.evidence import good
from headroom.claims.finding import NotTestable
from headroom.results.records import CellRecord

Plan = Sequence[Unit]
Plans = Sequence[Plan]  # of one seed, the smallest first


def plans(record: CellRecord) -> dict[int, list[list[Unit]]]:
    """The removed units of every point that removes some, by seed, the smallest plan first."""
    found: dict[int, list[list[Unit]]] = {}
    for point in good(record):
        if point.plan:
            found.setdefault(point.seed, []).append([Unit.parse(text) for text in point.plan])
    return found


def some_plans(record: CellRecord) -> list[list[list[Unit]]]:
    """The plans of every seed. Raises ``NotTestable`` when there are none."""
    found = list(plans(record).values())
    if not found:
        raise NotTestable(f"{record.method} has no points on this model.")
    return found


def depth_of_first(record: CellRecord, share: float) -> Estimate:
    """Mean of layer / layers of its stack over the first share of units removed, mean over seeds."""
    return Estimate.over([mean_depth(first(nested, share), layers(nested)) for nested in some_plans(record)])


def mean_depth(chosen: Plan, height: dict[str, int]) -> float:
    return float(np.mean([unit.site.layer / height[unit.site.stack] for unit in chosen]))


def share_of_attention(record: CellRecord, share: float) -> Estimate:
    """Share of attention among the first share of modules removed, mean over seeds."""
    early = [first(nested, share) for nested in some_plans(record)]
    return Estimate.over([float(np.mean([unit.grain is Grain.ATTENTION for unit in units])) for units in early])


def drops_the_last(nested: Plans, share: float) -> bool:
    """Whether the last layer of a stack is among the first share of units removed."""
    height = layers(nested)
    return any(unit.site.layer == height[unit.site.stack] - 1 for unit in first(nested, share))


def first(nested: Plans, share: float) -> Plan:
    """The smallest plan that takes up the share of the largest, one unit at least: what a method removes first."""
    count = max(1, int(share * len(nested[-1])))
    return next(plan for plan in nested if len(plan) >= count)


def layers(nested: Iterable[Plan]) -> dict[str, int]:
    """Layers of each stack, as far as plans reach; the floor reaches all of them."""
    found: dict[str, int] = {}
    for unit in (unit for plan in nested for unit in plan):
        found[unit.site.stack] = max(found.get(unit.site.stack, 0), unit.site.layer + 1)
    return found
