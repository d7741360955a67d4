"""Which heads a method keeps: one map of layers by heads for every method of a model, for every target at once.

A cell of the map carries the steps at which it is gone, one character each (``STEPS``): the style sheet alone can then
show any step, with a slider or without scripts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from headroom.results.load import DENSE
from headroom.results.records import CellRecord, Point
from headroom.site.book import Book, own_name, setting_of
from headroom.site.names import slug

STEPS = "0123456789abcdefghijklmnopqrstuvwxyz"
FINE = ("head", "kv_group")
STACKS = {"encoder": "enc", "decoder": "dec"}
Place = tuple[str, int]  # site such as encoder.self.3, and the unit's index in it; MLPs have index 0 of their site


@dataclass(frozen=True)
class Anatomy:
    """The places of a model, as far as the plans of its records name them."""

    sites: tuple[str, ...]  # attention sites, first layer first
    widths: dict[str, int]  # heads or KV groups of each
    mlps: tuple[str, ...]
    grain: str  # what an index counts

    def places(self) -> list[Place]:
        """Every place, in the order of the maps."""
        return [(site, index) for site in self.sites for index in range(self.widths[site])] + [
            (m, 0) for m in self.mlps
        ]

    def gone(self, unit: str) -> list[Place]:
        """The places that go with a unit, e.g. all heads of an attention sublayer. Unknown units have none."""
        grain, _, where = unit.partition(":")
        if grain in FINE:
            site, _, index = where.rpartition(".")
            return [(site, int(index))] if site in self.widths and index.isdigit() else []
        if grain == "block":
            stack, layer = where.partition(".")[0], where.rpartition(".")[2]
            inside = [s for s in (*self.sites, *self.mlps) if s.startswith(f"{stack}.") and s.endswith(f".{layer}")]
            return [place for site in inside for place in self._all(site)]
        return self._all(where)

    def _all(self, site: str) -> list[Place]:
        if site in self.mlps:
            return [(site, 0)]
        return [(site, index) for index in range(self.widths.get(site, 0))]


@dataclass(frozen=True)
class Map:
    """What one method removes from a model, step by step."""

    method: str
    setting: str
    natural: bool  # its steps are the nearest points of its own
    gone: dict[Place, str]  # characters of the steps at which a place is gone

    @property
    def key(self) -> str:
        """The method in ids and attributes."""
        return slug(self.method)

    def within(self, anatomy: Anatomy) -> set[Place]:
        """The places that the method could remove: MLPs only where it ever removes one."""
        mlps = any(place[0] in anatomy.mlps for place in self.gone)
        return {place for place in anatomy.places() if mlps or place[0] not in anatomy.mlps}

    def removed(self, step: int) -> set[Place]:
        """Places that are gone at a step."""
        return {place for place, steps in self.gone.items() if STEPS[step] in steps}


@dataclass(frozen=True)
class Atlas:
    """All maps of a model; step ``n`` of each is ``targets[n]``."""

    model: str
    anatomy: Anatomy
    targets: tuple[float, ...]
    maps: tuple[Map, ...]

    @property
    def middle(self) -> int:
        """The step nearest to one half, which the page shows first."""
        return min(range(len(self.targets)), key=lambda step: abs(self.targets[step] - 0.5), default=0)

    def overlap(self, one: Map, other: Map, step: int) -> tuple[float, float] | None:
        """(found, expected by chance) share of the smaller set of removed places that the other one removes too.

        None where a method removes nothing yet, or where the two never remove a place in common, as heads and MLPs.
        """
        a, b = one.removed(step), other.removed(step)
        total = len(one.within(self.anatomy) | other.within(self.anatomy))
        if not a or not b or not one.gone.keys() & other.gone.keys():
            return None
        return len(a & b) / min(len(a), len(b)), max(len(a), len(b)) / total


def atlas(book: Book, model: str) -> Atlas | None:
    """The maps of a model; None when no plan names a unit. Random methods show the draw of their first seed."""
    records = [r for method in book.methods if method != DENSE and (r := book.record(model, method)) and r.points]
    units = {unit for record in records for point in record.points for unit in point.plan}
    found = anatomy(units)
    targets = sorted({p.target for r in records for p in r.points if not p.label and not own_name(p) and p.target > 0})
    if not found.places() or not targets or len(targets) > len(STEPS):
        return None
    maps = tuple(one for record in records if (one := _map(record, found, targets)))
    return Atlas(model, found, tuple(targets), maps) if maps else None


def anatomy(units: Iterable[str]) -> Anatomy:
    """Sites and widths from the names of units."""
    widths: dict[str, int] = defaultdict(int)
    mlps, grains = set(), set()
    for unit in units:
        grain, _, where = unit.partition(":")
        if grain in FINE:
            site, _, index = where.rpartition(".")
            widths[site] = max(widths[site], int(index) + 1 if index.isdigit() else 0)
            grains.add(grain)
        elif grain == "attention":
            widths[where] = max(widths[where], 1)
        elif grain == "mlp":
            mlps.add(where)
    sites = sorted(widths, key=_order)
    grain = "KV group" if grains == {"kv_group"} else "head" if grains else "attention sublayer"
    return Anatomy(tuple(sites), dict(widths), tuple(sorted(mlps, key=_order)), grain)


def _order(site: str) -> tuple[int, int, int]:
    stack, kind, layer = (*site.split("."), "", "")[:3]
    kinds = ("self", "cross", "mlp")
    return (stack != "encoder", kinds.index(kind) if kind in kinds else 3, int(layer) if layer.isdigit() else 0)


def short(site: str) -> str:
    """A site in few letters: enc 3, dec 3, cross 3."""
    stack, kind, layer = (*site.split("."), "", "")[:3]
    return f"{'cross' if kind == 'cross' else STACKS.get(stack, stack)} {layer}"


def mlp_of(site: str) -> str:
    """The MLP in the same layer and stack as an attention site."""
    stack, _, layer = (*site.split("."), "", "")[:3]
    return f"{stack}.mlp.{layer}"


def _map(record: CellRecord, found: Anatomy, targets: list[float]) -> Map | None:
    points = [p for p in record.points if not p.label and p.status == "ok" and p.plan]
    if not points:
        return None
    first = min(p.seed for p in points)
    settings = [setting_of(p, record) for p in points]
    setting = "as is" if "as is" in settings else settings[0]
    points = [p for p, own in zip(points, settings, strict=True) if p.seed == first and own == setting]
    steps = {step: point for step, target in enumerate(targets) if (point := _at(points, target))}
    gone: dict[Place, str] = defaultdict(str)
    for step, point in steps.items():
        for place in {place for unit in point.plan for place in found.gone(unit)}:
            gone[place] += STEPS[step]
    natural = any(own_name(p) for p in points)
    return Map(record.method, setting, natural, dict(gone)) if gone else None


def _at(points: list[Point], target: float) -> Point | None:
    """The point at a target; of a method with points of its own, the one that removes most without exceeding it."""
    exact = [p for p in points if not own_name(p) and abs(p.target - target) < 1e-9]
    if exact:
        return exact[0]
    below = [p for p in points if own_name(p) and p.units and p.units_removed / p.units <= target + 1e-9]
    return max(below, key=lambda p: p.units_removed, default=None)


def coded(one: Map, places: list[Place], steps: int) -> list[str]:
    """The map for the scripts: for each place the first step at which it is gone, or all of them where it returns."""
    found = []
    for place in places:
        gone = one.gone.get(place, "")
        nested = gone and gone == STEPS[STEPS.index(gone[0]) : steps]
        found.append(gone[0] if nested else f"={gone}" if gone else "")
    return found
