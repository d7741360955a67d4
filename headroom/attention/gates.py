"""Multipliers on units: one differentiable gate per head, KV group, sublayer or block, and masks of zeros.

Heads are gated at the input of the output projection, where Michel et al. (2019) and Voita et al. (2019) gate. A
sublayer or block is gated as ``x + g * (y - x)`` between the stream before (x) and after (y), so a gate of zero is
the removal of the unit at every grain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from headroom.api import Gates, Grain, Scores, Site, Unit
from headroom.attention.acting import acting
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.place import PER_HEAD, Place
from headroom.attention.taps import tap
from headroom.attention.weights import device_of, index_of
from headroom.errors import UserError

Per = Literal["batch", "example", "token"]
Read = Callable[[Tensor], Tensor]  # from any tensor of this pass, (batch, tokens, ...), to the gates, (..., units)


class SiteGates(Gates):
    """The gates of one ``with gate(...)`` block."""

    def __init__(self, units: dict[Site, list[Unit]], per: Per, values: Callable[[Site], Tensor] | None) -> None:
        self.units = units
        self.per = per
        self._values = values
        self._current: dict[Site, Tensor] = {}

    def read(self, site: Site, like: Tensor) -> Tensor:
        """The gates of a site for the pass that ``like`` (batch, tokens, ...) belongs to."""
        if self._values is not None:
            self._current[site] = self._values(site)
            return self._current[site]
        leading = {"batch": (), "example": like.shape[:1], "token": like.shape[:2]}[self.per]
        shape = (*leading, len(self.units[site]))
        current = self._current.get(site)
        if current is None or current.shape != shape:
            dtype = torch.promote_types(like.dtype, torch.float32)
            with torch.inference_mode(False):
                current = torch.ones(shape, dtype=dtype, device=like.device, requires_grad=True)
            self._current[site] = current
        return current

    def _unused(self, site: Site) -> Tensor:
        """Gates of a site that no pass has reached, such as a cross-attention without an encoder."""
        like = next(iter(self._current.values()))
        return like.new_ones(*like.shape[:-1], len(self.units[site])).requires_grad_()

    def slopes(self, loss: Tensor) -> Scores:
        """d loss / d gate of every site; zero where a gate had no part in the loss. See ``api.Gates.slopes``.

        Raises ``RuntimeError`` when no forward pass has run inside the ``with`` block.
        """
        if not self._current:
            raise RuntimeError("slopes needs a forward pass inside the with block of the gates")
        for site in self.units.keys() - self._current.keys():
            self._current[site] = self._unused(site)
        sites = sorted(self._current)
        gates = [self._current[site] for site in sites]
        # only the gates are asked for: a full backward would cost half as much again
        slopes = torch.autograd.grad(loss, gates, allow_unused=True)
        pairs = zip(sites, gates, slopes, strict=True)
        return {site: (torch.zeros_like(gate) if slope is None else slope).detach() for site, gate, slope in pairs}


@dataclass(frozen=True)
class _Spread:
    """Lays the gates of some units out over the heads of a site; heads without a gate get one."""

    index: Tensor
    whole: bool

    @classmethod
    def over(cls, place: Place, units: list[Unit]) -> _Spread:
        where = {unit.index: position for position, unit in enumerate(units)}
        keys = place.reads if units[0].grain is Grain.KV_GROUP else place.heads
        index = [where.get(key, len(units)) for key in keys]
        return cls(index_of(index, device_of(place.out)), index == list(range(len(units))))

    def __call__(self, gates: Tensor) -> Tensor:
        if self.whole:
            return gates
        padded = torch.cat([gates, gates.new_ones(*gates.shape[:-1], 1)], -1)
        return padded.index_select(-1, self.index.to(gates.device))


def _work(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)  # a float16 gate would round what it scales


def _gate_heads(place: Place, units: list[Unit], read: Read) -> list[RemovableHandle]:
    spread = _Spread.over(place, units)

    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0]
        gates = spread(read(x)).to(_work(x))
        if gates.dim() == 2:
            gates = gates.unsqueeze(1)  # one per example, the same for all its tokens
        heads = x.to(_work(x)).unflatten(-1, (len(place.heads), -1)) * gates.unsqueeze(-1)
        return (heads.flatten(-2).to(x.dtype), *args[1:])

    return [place.out.register_forward_pre_hook(hook)]


def _gate_sublayer(place: Place, read: Read) -> list[RemovableHandle]:
    adds = place.sublayer is not None and place.sublayer.adds

    def change(before: Tensor, after: Tensor) -> Tensor:
        gate = read(before).to(_work(before))
        if gate.dim() == 2:
            gate = gate.unsqueeze(1)
        if adds:
            return (after.to(gate.dtype) * gate).to(before.dtype)
        # lerp is exact at both ends: a gate of one changes nothing, a gate of zero leaves the stream as it was
        return torch.lerp(before.to(gate.dtype), after.to(gate.dtype), gate).to(before.dtype)

    return tap(place, change)


def _attach(plan: Anatomy, units: list[Unit], read: Read) -> list[RemovableHandle]:
    """Gate units of one site and grain."""
    places = [plan.place(unit) for unit in units]  # every unit is looked up, so that a missing one is named
    place = places[0]
    if units[0].grain in PER_HEAD:
        return _gate_heads(place, units, read)
    return _gate_sublayer(place, read)


def _by_site(plan: Anatomy, chosen: Iterable[Site | Unit] | None) -> dict[Site, list[Unit]]:
    """The units to gate at each site, in index order; a bare site stands for all its units."""
    found: dict[Site, set[Unit]] = {}
    for item in plan.units((Grain.HEAD,)) if chosen is None else chosen:
        site = item.site if isinstance(item, Unit) else item
        units = [item] if isinstance(item, Unit) else _all_units(plan, site)
        found.setdefault(site, set()).update(units)
    for site, chosen_here in found.items():
        if len({unit.grain for unit in chosen_here}) > 1:
            names = ", ".join(str(unit) for unit in sorted(chosen_here))
            raise UserError(f"gate takes one grain per site; {site} was given {names}")
    # blocks come last: where a block and its last sublayer end in the same module, the block has the last word
    order = sorted(found, key=lambda site: (site.kind == "block", site.place))
    return {site: sorted(found[site]) for site in order}


def _all_units(plan: Anatomy, site: Site) -> list[Unit]:
    grain = {"mlp": Grain.MLP, "block": Grain.BLOCK}.get(site.kind, Grain.HEAD)
    units = [unit for unit in plan.units((grain,)) if unit.site == site]
    if not units:
        raise UserError(f"site {site} has no {grain} units in this {plan.family} model")
    return units


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No parameter of the model asks for gradients inside the block."""
    asking = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


@contextmanager
def gate(
    model: nn.Module,
    sites_or_units: Iterable[Site | Unit] | None = None,
    per: Per = "batch",
    values: Callable[[Site], Tensor] | None = None,
) -> Iterator[SiteGates]:
    """Gate units for the length of a ``with`` block; all gates are one unless ``values`` gives them.

    A site stands for all its units (heads, MLP or block); None for all heads of the model. One grain per site.
    Gates have shape (units,), (batch, units) or (batch, tokens, units), units in index order, in float32 or better.
    ``values(site)`` is called at every forward pass and returns any of these shapes; the weights are then not frozen.
    Raises ``UserError`` for units that are not there. Compiled models run eagerly inside the block; adapters and
    parametrised or quantised weights are gated like others; a pass that goes by without the gates, as through
    TorchScript or a module of another make, raises ``UserError`` at its end, and so does ``DataParallel``'s copy.
    """
    plan = anatomy(model)
    units = _by_site(plan, sites_or_units)
    gates = SiteGates(units, per, values)
    # gates that are kept for their slopes are those of one whole batch
    with ExitStack() as stack:
        hooks = stack.enter_context(acting(plan, copies=values is not None))
        if values is None:
            stack.enter_context(frozen(model))
        for site, chosen in units.items():
            hooks.handles += _attach(plan, chosen, hooks.noting(site, partial(gates.read, site)))
        yield gates


def _zeros(units: int) -> Read:
    return lambda like: torch.zeros(units, device=like.device)


@contextmanager
def mask(model: nn.Module, units: Iterable[Unit]) -> Iterator[None]:
    """Silence exactly these units, of any mixture of grains, for the length of a ``with`` block.

    The outputs are those of the model after ``remove(model, units)``. Raises ``UserError`` for a unit that is missing.
    Compiled models run eagerly inside the block; adapters and parametrised or quantised weights are masked like
    others; a pass that goes by without the mask, as through TorchScript or a module of another make, raises
    ``UserError`` at its end. Only what runs no module of this model, such as an exported program, goes unseen.
    """
    plan = anatomy(model)
    groups: dict[tuple[Site, Grain], list[Unit]] = {}
    for unit in sorted(set(units), key=lambda unit: (unit.grain is Grain.BLOCK, unit.place)):
        groups.setdefault((unit.site, unit.grain), []).append(unit)
    with acting(plan) as hooks:
        for (site, _), chosen in groups.items():
            hooks.handles += _attach(plan, chosen, hooks.noting(site, _zeros(len(chosen))))
        yield
