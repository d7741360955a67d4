"""What is left of a model, in words that decide how it can be shipped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from headroom.api import Grain, Site, Unit
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.packing import BUFFER, state_of
from headroom.attention.removal import without


@dataclass(frozen=True)
class Left:
    """A model whose empty blocks are gone, and what its dense shape and its rest are."""

    model: Any
    plan: Anatomy

    @cached_property
    def skipped(self) -> list[Site]:
        """Sublayers that have gone from blocks that are left."""
        return [site for site in self.sublayers if site not in self.plan.places]

    @cached_property
    def sublayers(self) -> list[Site]:
        """Every sublayer that the blocks that are left had in the dense model."""
        return [
            Site(name, sublayer.kind, layer)
            for name, stack in self.plan.stacks.items()
            for layer in self.plan.removal.blocks(name)
            for sublayer in stack.sublayers
        ]

    @cached_property
    def cut(self) -> list[Site]:
        """Attentions that are left with fewer heads."""
        shape = self.plan.removal.shape
        return [site for site, place in self.attention.items() if len(place.heads) != shape.heads[site]]

    @property
    def attention(self) -> dict[Site, Any]:
        return {site: place for site, place in self.plan.places.items() if place.sublayer and place.sublayer.heads}

    @property
    def blocks_gone(self) -> int:
        removal = self.plan.removal
        return sum(count - len(removal.blocks(stack)) for stack, count in removal.shape.layers.items())


def weights_of(model: Any) -> dict[str, Tensor]:
    """The weights of a model by their names, without the buffers that Headroom keeps beside them."""
    return {name: value for name, value in state_of(model).items() if not name.startswith(BUFFER)}


def left_of(model: Any) -> Left:
    """The model without the blocks from which every sublayer has gone: they were the block.

    One block of each stack stays, an empty one too, for no config knows a model without any.
    """
    plan = anatomy(model)
    empty = [Unit(Site(name, "block", layer), Grain.BLOCK) for name in plan.stacks for layer in _empty(plan, name)]
    smaller = without(model, empty, plan.removal.policy) if empty else model  # type: ignore[arg-type]
    return Left(smaller, anatomy(smaller))


def _empty(plan: Anatomy, stack: str) -> list[int]:
    blocks, sublayers = plan.removal.blocks(stack), plan.stacks[stack].sublayers
    if plan.stacks[stack].headless:
        return []  # a recurrence stays in the block
    empty = [
        layer for layer in blocks if not any(Site(stack, sublayer.kind, layer) in plan.places for sublayer in sublayers)
    ]
    return empty if len(empty) < len(blocks) else empty[1:]
