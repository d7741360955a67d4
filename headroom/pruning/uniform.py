"""`--uniform`: from a method's order the same number of heads or groups in every layer, which a stock config can say.

A method gives plans and no scores. Its plans all over the range tell the order: what more of them remove goes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headroom import attention
from headroom.api import Grain, Plan, Site, Unit
from headroom.errors import UserError
from headroom.shipping.left import left_of
from headroom.shipping.stock import why_not

if TYPE_CHECKING:
    from headroom.pruning.planning import Planner

MOST = 400  # plans that are asked for: one a unit, of most models
LAYERS = (Grain.HEAD, Grain.KV_GROUP)


def check(planner: Planner) -> None:
    """Raises ``UserError`` where the same share of every layer means nothing, or no stock config could say it."""
    name, sites = planner.method.name, planner.context.units.sites
    grains = {unit.grain for unit in planner.context.units}
    if not grains <= {*LAYERS}:
        gone = " and ".join(sorted(str(grain) for grain in grains - {*LAYERS}))
        raise UserError(
            f"--uniform: {name} removes units of the grain {gone}, of which a layer has one: the same share of every "
            "layer is all of them or none. Leave the option out, or take a method that removes heads."
        )
    counts = {len(units) for units in sites.values()}
    if len(counts) > 1:
        raise UserError(
            f"--uniform: layers of this model have {' or '.join(map(str, sorted(counts)))} units, and no one number "
            "can be said of them. Leave the option out."
        )
    if counts == {1}:
        raise UserError("--uniform: every layer has one unit, so none can go from all of them. Leave the option out.")
    if not attention.removed_units(planner.subject.model):  # layers are alike, so it does not matter which unit goes
        sayable(planner, [Plan(0.0, step(planner.context.units.all, sites, 1))])


def sayable(planner: Planner, given: Sequence[Plan]) -> list[Plan]:
    """Those of the plans of which a stock config can say what is left. Raises ``UserError`` where it can of none."""
    whole = planner.subject.model
    why = {place: why_not(left_of(attention.without(whole, plan.drop))) for place, plan in enumerate(given)}
    if all(why.values()):
        raise UserError(f"--uniform: {why[0]}. Leave the option out: what is left is written in another form.")
    return [plan for place, plan in enumerate(given) if not why[place]]


def plans(planner: Planner) -> list[Plan]:
    """For one unit a layer and more, up to all but one, the plan. Raises ``UserError`` as ``check`` does."""
    check(planner)
    units = planner.context.units
    total, sites = len(units), units.sites
    steps = min(total - 1, MOST)
    counts = sorted({round(place * (total - 1) / steps) for place in range(1, steps + 1)})
    given = [plan for plan in planner.asked([count / total for count in counts]).plans if not plan.label]
    if not given:
        raise UserError(f"{planner.file}: has no plan from which an order of units could be told.")
    if any(plan.weights for plan in given):
        raise UserError(
            f"--uniform: plans of {planner.method.name} come with weights that fit what they remove, and this would "
            "remove something else. Leave the option out."
        )
    ranked, each = order(units, given), len(next(iter(sites.values())))
    return sayable(planner, [Plan(count / each, step(ranked, sites, count)) for count in range(1, each)])


def order(units: Iterable[Unit], given: Sequence[Plan]) -> list[Unit]:
    """Units from the first that goes to the last: of a nested ladder, more plans remove what goes earlier."""
    removed = Counter(unit for plan in given for unit in plan.drop)
    return sorted(units, key=lambda unit: (-removed[unit], unit.place))


def step(ranked: Sequence[Unit], sites: Iterable[Site], count: int) -> frozenset[Unit]:
    """The first so many of each site."""
    taken = [[unit for unit in ranked if unit.site == site][:count] for site in sites]
    return frozenset(unit for units in taken for unit in units)
