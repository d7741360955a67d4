"""One place in a model: the modules that make up a site, and which of its heads are left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from headroom.api import Grain, Site, Unit
from headroom.attention.layouts import Heads, Sublayer

PER_HEAD = (Grain.HEAD, Grain.KV_GROUP)


@dataclass(frozen=True)
class Place:
    """Where a site is in this model, and which of its heads are left. ``sublayer`` is None for a block."""

    site: Site
    block: nn.Module
    sublayer: Sublayer | None = None
    heads: tuple[int, ...] = ()  # query heads that are left, in the numbering of the dense model
    groups: tuple[int, ...] = ()  # KV heads that are left
    reads: tuple[int, ...] = field(default=(), repr=False)  # for every head left, the KV head that it reads

    def module(self, path: str) -> Any:
        return self.block.get_submodule(path)

    @property
    def part(self) -> Sublayer:
        """The table's entry of a sublayer; blocks have none."""
        if self.sublayer is None:
            raise TypeError(f"{self.site} is a block, not a sublayer")
        return self.sublayer

    @property
    def made(self) -> Heads:
        """How the attention of this site is made; MLPs and blocks have none."""
        if self.part.heads is None:
            raise TypeError(f"{self.site} is not an attention")
        return self.part.heads

    @property
    def home(self) -> Any:
        """The module that attends."""
        return self.module(self.made.home)

    @property
    def out(self) -> Any:
        """The output projection."""
        return self.module(self.made.out)

    @property
    def head_size(self) -> int:
        return getattr(self.home, self.made.size)

    @property
    def units(self) -> list[Unit]:
        """What can be removed here, in dense numbering: every head and KV head that is left, and the whole."""
        if self.sublayer is None:
            return [Unit(self.site, Grain.BLOCK)]
        if self.sublayer.heads is None:
            return [Unit(self.site, Grain.MLP)]
        heads = [Unit(self.site, Grain.HEAD, head) for head in self.heads]
        groups = [Unit(self.site, Grain.KV_GROUP, group) for group in self.groups]
        return [*heads, *groups, Unit(self.site, Grain.ATTENTION)]
