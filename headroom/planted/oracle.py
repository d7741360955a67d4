"""The best that any choice of units could do, found by trying: what a method's plan is measured against.

On a model small enough every subset is tried, otherwise a beam grows the best subsets unit by unit, which gives an
upper bound of the lowest loss. Many subsets share one forward pass: the batch is repeated, and each repetition has its
own row of gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

import torch
from torch import Tensor

from headroom import attention
from headroom.api import Site, Unit
from headroom.data.batches import per_example_loss
from headroom.measure.clock import ProcessClock

ROWS = 2048  # examples in one forward pass, repetitions included
LARGEST = 12  # units up to which every subset is tried: 4096 of them
BEAM = 4  # subsets kept at each size beyond that

Drop = frozenset[Unit]
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Oracle:
    """The lowest loss for every number of units removed. Losses are means over the examples, in nats."""

    best: dict[int, tuple[float, Drop]]  # units removed: the loss, and which they are
    exhaustive: bool
    tried: int

    @property
    def dense(self) -> float:
        return self.best[0][0]

    @property
    def floor(self) -> float:
        return self.best[max(self.best)][0]

    def distance(self, removed: int, loss: float) -> float:
        """How far a loss is above the best one for as many units, as a share of the way from dense to floor.

        Raises ``ValueError`` for a model that loses nothing at its floor.
        """
        if self.floor <= self.dense:
            raise ValueError(f"nothing is lost at the floor: loss {self.floor:.3f}, dense {self.dense:.3f}")
        return (loss - self.best[removed][0]) / (self.floor - self.dense)


def oracle(model: Any, units: Sequence[Unit], batch: Batch, largest: int = LARGEST, beam: int = BEAM) -> Oracle:
    """Search for the best units to remove, for every number of them. ``units`` are of one grain a site."""
    if len(units) <= largest:
        subsets = chain.from_iterable(combinations(units, size) for size in range(len(units) + 1))
        tried = [frozenset(subset) for subset in subsets]
        return _best(zip(losses(model, units, batch, tried), tried, strict=True), True)
    found, kept = [(losses(model, units, batch, [frozenset()])[0], frozenset[Unit]())], [frozenset[Unit]()]
    while len(kept[0]) < len(units):
        grown = sorted({drop | {unit} for drop, unit in product(kept, units) if unit not in drop}, key=sorted)
        scored = sorted(zip(losses(model, units, batch, grown), grown, strict=True), key=lambda pair: pair[0])
        found += scored
        kept = [drop for _, drop in scored[:beam]]
    return _best(found, False)


def _best(found: Iterable[tuple[float, Drop]], exhaustive: bool) -> Oracle:
    """The lowest loss of each size."""
    best: dict[int, tuple[float, Drop]] = {}
    tried = 0
    for loss, drop in found:
        tried += 1
        if len(drop) not in best or loss < best[len(drop)][0]:
            best[len(drop)] = (loss, drop)
    return Oracle(best, exhaustive, tried)


@torch.inference_mode()
def losses(model: Any, units: Sequence[Unit], batch: Batch, drops: Sequence[Drop], rows: int = ROWS) -> list[float]:
    """The mean loss of a batch with each set of units silenced in turn, many sets in one forward pass."""
    examples = len(next(iter(batch.values())))
    sites: dict[Site, list[Unit]] = {}
    for unit in sorted(units):
        sites.setdefault(unit.site, []).append(unit)
    found: list[float] = []
    at_once = max(1, rows // examples)
    for start in range(0, len(drops), at_once):
        together = drops[start : start + at_once]
        gates = {site: rows_of(members, together, examples, model.device) for site, members in sites.items()}
        repeated = {name: value.repeat(len(together), *[1] * (value.dim() - 1)) for name, value in batch.items()}
        with attention.gate(model, units, values=gates.__getitem__):
            loss = per_example_loss(model, repeated)
        found += loss.unflatten(0, (len(together), examples)).double().mean(1).tolist()
    return found


def rows_of(members: list[Unit], drops: Sequence[Drop], examples: int, device: Any) -> Tensor:
    """The gates of a site, (sets x examples, units): zero where a set drops the unit."""
    gates = torch.tensor([[float(unit not in drop) for unit in members] for drop in drops], device=device)
    return gates.repeat_interleave(examples, 0)


@dataclass(frozen=True)
class Saving:
    """Process seconds for the same losses, one set of units a pass and many."""

    sets: int
    one_by_one: float
    together: float

    @property
    def ratio(self) -> float:
        return self.one_by_one / self.together


def saving(model: Any, units: Sequence[Unit], batch: Batch, sets: int = 256) -> Saving:
    """Measure how much cheaper sharing a pass is, on the first ``sets`` subsets that leave something.

    ``model`` is in eval mode; one pass of either kind goes ahead unmeasured.
    """
    subsets = chain.from_iterable(combinations(units, size) for size in range(len(units)))
    drops = [frozenset(subset) for subset, _ in zip(subsets, range(sets), strict=False)]
    examples = len(next(iter(batch.values())))
    for rows in (examples, ROWS):
        losses(model, units, batch, drops[:1], rows)
    clock = ProcessClock()
    alone = clock.time(lambda: losses(model, units, batch, drops, rows=examples))
    together = clock.time(lambda: losses(model, units, batch, drops))
    return Saving(len(drops), alone.busy, together.busy)
