"""What has been removed from a model so far: kept on the model, in the numbering of the dense model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import nn

from headroom.api import Grain, Site, Unit

_ATTRIBUTE = "_headroom_removal"


@dataclass(frozen=True)
class Shape:
    """The counts of the dense model, which give every unit its place."""

    layers: dict[str, int]  # blocks of each stack
    heads: dict[Site, int]  # query heads of each attention site
    groups: dict[Site, int]  # KV heads of each attention site

    def group_of(self, site: Site, head: int) -> int:
        """The KV head that a query head reads."""
        return head * self.groups[site] // self.heads[site]

    def groups_of(self, site: Site, heads: Iterable[int]) -> tuple[int, ...]:
        """The KV heads that these query heads read, each once."""
        return tuple(sorted({self.group_of(site, head) for head in heads}))


@dataclass(frozen=True)
class Removal:
    """The dense shape and what has gone from it."""

    shape: Shape
    units: frozenset[Unit]
    policy: str
    config: Any  # a copy of the dense model's config, so that the dense skeleton can be built again

    def blocks(self, stack: str) -> tuple[int, ...]:
        """Dense numbers of the blocks that are left, in order."""
        return tuple(layer for layer in range(self.shape.layers[stack]) if not self._block_gone(stack, layer))

    def has(self, unit: Unit) -> bool:
        """Whether the block or sublayer is still there (for heads see ``heads``)."""
        return unit not in self.units and not self._block_gone(unit.site.stack, unit.site.layer)

    @cached_property
    def _gone(self) -> dict[Site, set[int]]:
        """Query heads that have gone from each site, on their own or with their KV head."""
        gone: dict[Site, set[int]] = {}
        for unit in self.units:
            if unit.grain is Grain.HEAD:
                gone.setdefault(unit.site, set()).add(unit.index)
            elif unit.grain is Grain.KV_GROUP:
                gone.setdefault(unit.site, set()).update(self.members(unit))
        return gone

    def members(self, unit: Unit) -> set[int]:
        """The query heads of a KV group."""
        heads = range(self.shape.heads[unit.site])
        return {head for head in heads if self.shape.group_of(unit.site, head) == unit.index}

    def heads(self, site: Site) -> tuple[int, ...]:
        """Dense numbers of the query heads that are left at a site, as far as heads alone decide."""
        gone = self._gone.get(site, ())
        return tuple(head for head in range(self.shape.heads[site]) if head not in gone)

    def _block_gone(self, stack: str, layer: int) -> bool:
        return Unit(Site(stack, "block", layer), Grain.BLOCK) in self.units


def removal_of(model: nn.Module) -> Removal | None:
    """The removal recorded on a model; None for a dense model."""
    return getattr(model, _ATTRIBUTE, None)


def record(model: nn.Module, removal: Removal) -> None:
    """Write a removal onto the model, for anatomy, counting and saving to read."""
    setattr(model, _ATTRIBUTE, removal)


def removed_units(model: nn.Module) -> frozenset[Unit]:
    """The units that were asked to go from this model so far; empty for a dense model."""
    removal = removal_of(model)
    return removal.units if removal else frozenset()
