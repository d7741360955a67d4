"""The words that everything is said in: grains, sites, units, plans, and the units of a cell in their order.

Nothing here imports torch, so that tables and pages can speak of units and plans without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Grain(StrEnum):
    """The kind of unit that is removed."""

    HEAD = "head"
    KV_GROUP = "kv_group"
    ATTENTION = "attention"
    MLP = "mlp"
    BLOCK = "block"


@dataclass(frozen=True)
class Site:
    """One attention or MLP module, or one block, of the dense model.

    ``stack`` is ``encoder`` or ``decoder``; ``kind`` is ``self``, ``cross``, ``mlp`` or ``block``; ``layer``
    counts from 0 in the dense model and keeps its meaning after any removal.
    """

    stack: str
    kind: str
    layer: int

    def __str__(self) -> str:
        return f"{self.stack}.{self.kind}.{self.layer}"

    def __lt__(self, other: Site) -> bool:
        return self.place < other.place

    @property
    def place(self) -> tuple[int, str, str]:
        """Lowest layer first, then encoder before decoder: the order in which ties are broken."""
        return (self.layer, {"encoder": "0", "decoder": "1"}.get(self.stack, self.stack), self.kind)

    @classmethod
    def parse(cls, text: str) -> Site:
        """The inverse of ``str``. Raises ``ValueError`` when the text names no site."""
        stack, kind, layer = text.split(".")
        return cls(stack, kind, int(layer))


@dataclass(frozen=True)
class Unit:
    """What can be removed: a head or KV group of a site, or a whole attention, MLP or block."""

    site: Site
    grain: Grain
    index: int = 0

    def __str__(self) -> str:
        tail = f".{self.index}" if self.grain in (Grain.HEAD, Grain.KV_GROUP) else ""
        return f"{self.grain}:{self.site}{tail}"

    def __lt__(self, other: Unit) -> bool:
        return self.place < other.place

    @property
    def place(self) -> tuple[Any, ...]:
        return (*self.site.place, self.grain.value, self.index)

    @classmethod
    def parse(cls, text: str) -> Unit:
        """The inverse of ``str``, e.g. ``head:encoder.self.3.5``. Raises ``ValueError`` otherwise."""
        grain, _, place = text.partition(":")
        parts = place.split(".")
        index = int(parts.pop()) if len(parts) == 4 else 0
        return cls(Site.parse(".".join(parts)), Grain(grain), index)


@dataclass(frozen=True)
class Plan:
    """What to remove at one operating point."""

    target: float  # share of the removable units asked for, 0 to 1
    drop: frozenset[Unit] = frozenset()  # empty means the dense model
    weights: Path | None = None  # trained weights of the dense shape; only from methods of the trained track
    note: str = ""  # why fewer or more than asked; empty otherwise
    label: str = ""  # names a point outside the series, e.g. "floor:encoder.self"
    natural: str = ""  # names a point of the method's own, e.g. "lambda=0.1"; it answers to no target


@dataclass(frozen=True)
class ModelInfo:
    """What a method may know of a model before it asks for it."""

    family: str  # "bert", "llama", ...
    purpose: str  # "translation", "classification", "image-classification" or "language"
    sites: Mapping[Site, int]  # heads at each attention site
    groups: Mapping[Site, int]  # KV groups at each attention site; equal to heads without grouped queries
    grains: tuple[Grain, ...]  # what can be removed from it


Scores = dict[Site, "Tensor"]  # one value per unit of the site, shape (units at the site,)


@dataclass(frozen=True)
class Units:
    """The removable units of one cell, in the order in which ties are broken."""

    all: tuple[Unit, ...]
    parameters: Mapping[Unit, int] = field(default_factory=dict)  # weights that go with each unit
    device: str = "cpu"  # where the model is, so that scores are made beside it

    def __iter__(self) -> Iterator[Unit]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def sites(self) -> dict[Site, list[Unit]]:
        """The units of each site, in index order."""
        found: dict[Site, list[Unit]] = {}
        for unit in self.all:
            found.setdefault(unit.site, []).append(unit)
        return found

    def zeros(self) -> Scores:
        """A score of zero for every unit."""
        import torch

        return {site: torch.zeros(len(units), device=self.device) for site, units in self.sites.items()}

    def count(self, target: float) -> int:
        """How many units a target stands for: the floor, as in Michel's released code."""
        return int(target * len(self) + 1e-9)

    def order(self, scores: Mapping[Site, Tensor]) -> list[Unit]:
        """Units from the least to the most important; ties by lowest layer, then lowest index.

        Raises ``ValueError`` when a score is missing, of the wrong shape, or not a number.
        """
        value: dict[Unit, float] = {}
        for site, units in self.sites.items():
            if site not in scores or scores[site].numel() != len(units):
                raise ValueError(f"scores must hold {len(units)} values for {site}")
            value.update(zip(units, scores[site].detach().double().flatten().tolist(), strict=True))
        bad = [str(unit) for unit in self.all if value[unit] != value[unit]]
        if bad:
            raise ValueError(f"{len(bad)} of {len(self)} scores are NaN, first {bad[0]}")
        return sorted(self.all, key=lambda unit: (value[unit], unit.place))

    def lowest(self, scores: Mapping[Site, Tensor], target: float) -> frozenset[Unit]:
        """The ``target`` share of units with the lowest scores."""
        return frozenset(self.order(scores)[: self.count(target)])

    def first(self, order: Sequence[Unit], target: float) -> frozenset[Unit]:
        """The ``target`` share of units from the front of a removal order."""
        return frozenset(order[: self.count(target)])
