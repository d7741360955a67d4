"""Find every attention, MLP and block of a model, dense or already pruned."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from headroom.api import Grain, ModelInfo, Site, Unit
from headroom.attention import plain
from headroom.attention import weights as shares
from headroom.attention.compiled import unwrapped
from headroom.attention.families import Family, family_of, supported_class
from headroom.attention.layouts import Stack, Sublayer
from headroom.attention.place import Place
from headroom.attention.state import Removal, Shape, removal_of
from headroom.attention.wrappers import refuse_wrapper
from headroom.errors import UserError

PURPOSES = {
    "ForConditionalGeneration": "translation",
    "MTModel": "translation",
    "ForSequenceClassification": "classification",
    "ForImageClassification": "image-classification",
    "ForCausalLM": "language",
    "LMHeadModel": "language",
}


class Anatomy:
    """The sites and units of one model. Build it with ``anatomy(model)``."""

    def __init__(self, model: nn.Module, family: Family, stacks: tuple[Stack, ...]) -> None:
        self.model = model
        self.base: Any = unwrapped(model.base_model)
        self.config: Any = model.config
        self.family = family.name
        self.stacks = {stack.name: stack for stack in stacks}
        self.removal = removal_of(model) or self._dense()
        self.places = {place.site: place for place in self._find()}
        self._seen_plain: set[Site] = set()

    def blocks(self, stack: str) -> Any:
        """The blocks of a stack that are left, a ``ModuleList``."""
        return self.base.get_submodule(self.stacks[stack].blocks)

    def owner(self, stack: str) -> Any:
        """The module whose forward runs the blocks of a stack."""
        return unwrapped(self.base.get_submodule(self.stacks[stack].blocks.rpartition(".")[0]))

    def block_now(self, site: Site) -> Any:
        """What stands in the list where the block of a site stood, be it the block or not."""
        return self.blocks(site.stack)[self.removal.blocks(site.stack).index(site.layer)]

    def path(self, site: Site) -> str:
        """The module of a site that is called last, as a path from the base model."""
        position = self.removal.blocks(site.stack).index(site.layer)
        sublayer = self.places[site].sublayer
        return f"{self.stacks[site.stack].blocks}.{position}.{sublayer.end if sublayer else ''}".rstrip(".")

    def _dense(self) -> Removal:
        shape = Shape({name: len(self.blocks(name)) for name in self.stacks}, {}, {})
        for name, stack in self.stacks.items():
            for layer, block in enumerate(self.blocks(name)):
                for sublayer in (sublayer for sublayer in stack.sublayers if sublayer.heads):
                    site = Site(name, sublayer.kind, layer)
                    place = Place(site, unwrapped(block), sublayer)
                    shape.heads[site], shape.groups[site] = shares.head_counts(place)
        return Removal(shape, frozenset(), "heads", copy.deepcopy(self.config))

    def _find(self) -> Iterable[Place]:
        for name, stack in self.stacks.items():
            for layer, block in zip(self.removal.blocks(name), self.blocks(name), strict=True):
                yield Place(Site(name, "block", layer), unwrapped(block))
                for sublayer in stack.sublayers:
                    if self.removal.has(sublayer.unit(name, layer)):
                        yield self._place(Site(name, sublayer.kind, layer), unwrapped(block), sublayer)

    def _place(self, site: Site, block: nn.Module, sublayer: Sublayer) -> Place:
        if sublayer.heads is None:
            return Place(site, block, sublayer)
        heads, shape = self.removal.heads(site), self.removal.shape
        reads = tuple(shape.group_of(site, head) for head in heads)
        return Place(site, block, sublayer, heads, shape.groups_of(site, heads), reads)

    @property
    def grouped(self) -> bool:
        """Whether several query heads read one KV head somewhere in the dense model."""
        return self.removal.shape.heads != self.removal.shape.groups

    @property
    def info(self) -> ModelInfo:
        """What a method may know: heads and KV groups of each attention site that is left."""
        attention = {site: place for site, place in sorted(self.places.items()) if site.kind in ("self", "cross")}
        grains = [grain for grain in Grain if grain is not Grain.KV_GROUP or self.grouped]
        heads = {site: len(place.heads) for site, place in attention.items()}
        groups = {site: len(place.groups) for site, place in attention.items()}
        return ModelInfo(
            self.family, purpose_of_class(supported_class(type(self.model))) or "none", heads, groups, tuple(grains)
        )

    def units(self, grains: Iterable[Grain]) -> tuple[Unit, ...]:
        """The units of these grains that are left, in dense numbering, in the order in which ties are broken."""
        wanted = set(grains)
        found = (unit for place in self.places.values() for unit in place.units if unit.grain in wanted)
        return tuple(sorted(found))

    def place(self, unit: Unit) -> Place:
        """Where a unit is. Raises ``UserError`` naming it when it has gone or never was there."""
        place = self.places.get(unit.site)
        if place is None or unit not in place.units:
            gone = "has already been removed" if self._existed(unit) else self._never(unit)
            known = ", ".join(str(site) for site in sorted(self.places))
            raise UserError(f"unit {unit} {gone} in this {self.family} model. Sites left: {known}.")
        return place

    def _never(self, unit: Unit) -> str:
        """Why there is no such unit."""
        stack = self.stacks.get(unit.site.stack)
        instead = dict(stack.headless).get(unit.site.kind) if stack else None
        place = f"{unit.site.stack}.{unit.site.kind}"
        return f"does not exist: {place} is {instead} and has no heads" if instead else "does not exist"

    def _existed(self, unit: Unit) -> bool:
        dense = self.removal.shape
        sizes = {Grain.HEAD: dense.heads, Grain.KV_GROUP: dense.groups}.get(unit.grain)
        if sizes is not None:
            return unit.index < sizes.get(unit.site, 0)
        kinds = {"block": Grain.BLOCK}
        for sublayer in self.stacks[unit.site.stack].sublayers if unit.site.stack in self.stacks else ():
            kinds[sublayer.kind] = Grain.MLP if sublayer.kind == "mlp" else Grain.ATTENTION
        return kinds.get(unit.site.kind) is unit.grain and unit.site.layer < dense.layers.get(unit.site.stack, 0)

    def parameters(self, unit: Unit) -> int:
        """How many weights and biases the removal of this one unit frees. Raises ``UserError`` for a missing unit.

        Where query heads share a KV head, its keys and values go with the last head that reads them. Weights that are
        not plain, or that another layer has a part in, are refused in the words of ``plain.troubles``.
        """
        place = self._plain(unit)
        plain.refuse(trouble for trouble in self._shared if unit.site in (trouble.site, trouble.other))
        return shares.freed(place, unit)

    def weights(self, unit: Unit) -> dict[str, Tensor]:
        """Views of the weights that go with a unit. Raises ``UserError`` for a missing unit.

        For heads and KV groups: ``query``, ``key``, ``value`` of shape (head widths, model width) and ``out`` of shape
        (model width, head widths). For a sublayer or block: every parameter under its name in the block. Weights that
        are not plain (adapters, parametrised, quantised) are refused in the words of ``plain.troubles``.
        """
        return shares.shares(self._plain(unit), unit)

    @cached_property
    def _shared(self) -> list[plain.Trouble]:
        return plain.shared_weights(self.places)

    def _plain(self, unit: Unit) -> Place:
        """The place of a unit whose weights are what they say, those of a whole block too."""
        place = self.place(unit)
        block = [other.site for other in self.places.values() if other.block is place.block]
        for site in block if place.sublayer is None else [unit.site]:
            if site not in self._seen_plain:
                plain.refuse(plain.of_place(self.places[site]))
                self._seen_plain.add(site)
        return place


def purpose_of_class(name: str) -> str | None:
    """What a model class is for, by the end of its name; None for a class that Headroom has no task for."""
    return next((purpose for ending, purpose in PURPOSES.items() if name.endswith(ending)), None)


def anatomy(model: nn.Module) -> Anatomy:
    """Find all sites of a model of a listed family, dense or pruned by ``remove``.

    Raises ``UnsupportedModel`` for other classes, wrappers and modules of another make in a place that we know, and
    ``UserError`` for a config with ``pruned_heads``. A compiled model is found as the model that it is.
    """
    refuse_wrapper(model)
    family = family_of(type(model))
    if getattr(model.config, "pruned_heads", None):
        raise UserError(
            f"the config of this {type(model).__name__} has pruned_heads, which transformers 5 stores but ignores: "
            "the heads are still there. Delete the key and remove the heads with headroom.attention.remove."
        )
    base = model.base_model
    stacks = (stack for stack in family.stacks(model.config) if hasattr(base, stack.blocks.split(".")[0]))
    return Anatomy(model, family, tuple(stacks))
