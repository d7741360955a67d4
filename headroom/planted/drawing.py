"""Draw a planting: which units of a tiny model are dead, double and vital; and what plans say about it.

A plan is known by the set of units it removes; weights play no part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from headroom.api import Grain, Unit
from headroom.attention import anatomy, toy, toy_batch
from headroom.attention.place import PER_HEAD
from headroom.attention.toys import toy_class
from headroom.pipeline.reach import resolved
from headroom.planted.answers import decide
from headroom.planted.planting import Way, plant

# Norms behind every sublayer and none before the first: nothing in block 0 can be dead.
UNNORMED = ("marian", "marian_ssru")

Drops = Iterable[frozenset[Unit]]  # the units that each plan removes


@dataclass(frozen=True)
class Planted:
    """A tiny model of which the truth is known. ``plain`` units are neither dead nor vital nor double."""

    model: Any
    dead: frozenset[Unit]
    vital: frozenset[Unit]
    twins: tuple[Unit, Unit] | None  # the two are equal; None where units have no size to be equal in

    @property
    def kept(self) -> frozenset[Unit]:
        """What a plan has to spare as long as anything dead is left."""
        return self.vital | frozenset(self.twins or ())


def planted(family: str, grains: Iterable[Grain], seed: int = 0, way: Way = "all") -> Planted:
    """A toy of the family with a quarter of its units dead, a sixth vital, and two equal heads beside a vital one.

    Where queries are grouped a head stands for its KV group. The draw depends on the seed alone. Raises ``UserError``
    for an unknown family.
    """
    model, random = _with_room(family, seed), Random(seed)
    plan = anatomy(model)
    found = plan.units(resolved(grains, plan.info))
    units = [unit for unit in found if not (family in UNNORMED and unit.site.layer == 0 and unit.grain not in PER_HEAD)]
    twins, near = _pair(units, random)
    rest = [unit for unit in units if unit not in (*twins, *near)]
    random.shuffle(rest)
    dead = rest[: max(1, len(found) // 4)]
    vital = [*near, *rest[len(dead) : len(dead) + max(1, len(found) // 6) - len(near)]]
    plant(model, dead, vital, [twins] if twins else [], way)
    decide(model, toy_batch(family, examples=16))
    return Planted(model, frozenset(dead), frozenset(vital), twins or None)


def _with_room(family: str, seed: int) -> Any:
    """A toy whose output layer is its own, with ten answers to choose from and four KV groups where there are any."""
    changes: dict[str, Any] = {"tie_word_embeddings": False}
    if "Classification" in toy_class(family):
        changes["num_labels"] = 10  # with three a model without any attention is often right
    model = toy(family, seed, **changes)
    return toy(family, seed, num_key_value_heads=4, **changes) if anatomy(model).grouped else model


def _pair(units: list[Unit], random: Random) -> tuple[Any, list[Unit]]:
    """Two heads of one site to be equal, and a third one beside them to be vital; nothing where a site has fewer."""
    sites: dict[Any, list[Unit]] = {}
    for unit in units:
        if unit.grain in PER_HEAD:
            sites.setdefault(unit.site, []).append(unit)
    wide = [members for members in sites.values() if len(members) >= 3]
    if not wide:
        return (), []
    first, second, near = random.sample(random.choice(wide), 3)
    return (first, second), [near]


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
