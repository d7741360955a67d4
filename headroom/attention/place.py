"""One place in a model: the modules that make up a site, and which of its heads are left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from headroom.api import Grain, Site, Unit
from headroom.attention.compiled import plain_name, unwrapped
from headroom.attention.layouts import Heads, Sublayer
from headroom.errors import UnsupportedModel

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
        """The module at a path, never torch.compile's wrapper. Raises ``UnsupportedModel`` when it is not there."""
        try:
            return unwrapped(self.block.get_submodule(path))
        except AttributeError:
            raise self._lacks(path) from None

    def _lacks(self, path: str) -> UnsupportedModel:
        return UnsupportedModel(
            f"{self.site}: there is no {path} in this {type(self.block).__name__}, where Headroom looks for it. "
            "A module of another make stands there; put transformers' own back."
        )

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
    def projections(self) -> tuple[str, ...]:
        """Paths of all that is cut with a head: what makes queries, keys and values, and the output projection."""
        return (*(f"{self.made.home}.{one.name}" for one in self.made.projections), self.made.out)

    def projection(self, name: str) -> Any:
        """One of those that make queries, keys and values."""
        return self.module(f"{self.made.home}.{name}")

    @property
    def head_size(self) -> int:
        try:
            return getattr(self.home, self.made.size)
        except AttributeError:
            raise self._lacks(f"{self.made.home}.{self.made.size}") from None

    def inside(self) -> Iterator[tuple[str, Any]]:
        """Every module that belongs to a sublayer, with its path in the block; modules of a block have their own."""
        paths = [path for path, _ in self.part.skip]
        if self.heads:
            paths = [self.made.home, self.made.out, *paths]
        for path in dict.fromkeys(paths):
            if not any(path.startswith(f"{other}.") for other in paths):
                for inner, module in self.module(path).named_modules(prefix=path):
                    if unwrapped(module) is module:
                        yield plain_name(inner), module

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
