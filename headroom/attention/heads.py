"""Watch what the heads make: their values, what they attend to, and what enters the output projection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from headroom import api
from headroom.api import Site
from headroom.attention.acting import acting
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.place import Place
from headroom.attention.taps import real_tokens
from headroom.errors import UserError

Made = Literal["context", "value", "map"]
See = Callable[[Tensor], None]


class SiteHeads(api.Heads):
    """What one ``with heads(...)`` block has seen during the last forward pass. Nothing is detached."""

    def __init__(self, plan: Anatomy, made: Made) -> None:
        self._plan, self._made = plan, made
        self._seen: dict[Site, Tensor] = {}
        self._inputs: dict[str, Any] = {}

    def begin(self, inputs: dict[str, Any]) -> None:
        """A forward pass starts: forget the last one."""
        self._inputs = inputs
        self._seen.clear()

    def see(self, site: Site, made: Tensor) -> None:
        """Keep what a site made, (batch, tokens, units, size) or (batch, units, queries, keys)."""
        self._seen[site] = made

    def at(self, site: Site) -> Tensor:
        """See ``api.Heads.at``. Raises ``UserError`` when no pass has reached the site."""
        made = self._of(site)
        if self._made == "map":
            return made * self.real(site).to(made)[:, None, :, None]
        # values are made of what is attended to: in a cross-attention these are the tokens of the encoder
        stack = "encoder" if self._made == "value" and site.kind == "cross" else site.stack
        return made * self._real(stack, made.shape[:2]).to(made)[:, :, None, None]

    def real(self, site: Site) -> Tensor:
        """See ``api.Heads.real``. Raises ``UserError`` when no pass has reached the site."""
        made = self._of(site)
        shape = (made.shape[0], made.shape[2] if self._made == "map" else made.shape[1])
        return self._real(site.stack, torch.Size(shape))

    def _of(self, site: Site) -> Tensor:
        if site not in self._seen:
            raise UserError(f"nothing was seen at {site}: run a forward pass inside the with block first.")
        return self._seen[site]

    def _real(self, stack: str, shape: torch.Size) -> Tensor:
        device = next(iter(self._seen.values())).device
        return real_tokens(self._plan, self._inputs, stack, shape, device)


@contextmanager
def heads(model: Any, made: Made = "context") -> Iterator[SiteHeads]:
    """Watch every attention site for the length of a ``with`` block. Heads that share a KV head count as one unit.

    Raises ``UserError`` for maps of a family whose attention does not hand them out. Compiled models run eagerly inside
    the block; adapters and parametrised or quantised weights are watched like others; a pass that is not seen, as
    through TorchScript or a module of another make, raises ``UserError`` at its end, and so does a copy that
    ``DataParallel`` runs.
    """
    plan = anatomy(model)
    seen = SiteHeads(plan, made)
    with acting(plan, seen.begin, copies=False) as hooks, _eager_maps(model) if made == "map" else nullcontext():
        for place in plan.places.values():
            if place.heads:  # blocks and MLPs have none, and some attentions have lost all of theirs
                see = hooks.noting(place.site, partial(seen.see, place.site))
                hooks.handles.append(_HOOKS[made](see, place, plan.grouped))
        yield seen


@contextmanager
def _eager_maps(model: Any) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")  # fused attention never has the weights in memory
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _context(see: See, place: Place, grouped: bool) -> Any:
    units = len(place.groups) if grouped else len(place.heads)

    def hook(_: Any, args: tuple[Any, ...]) -> None:
        see(args[0].unflatten(-1, (units, -1)))  # query heads of a group lie side by side

    return place.out.register_forward_pre_hook(hook)


def _value(see: See, place: Place, grouped: bool) -> Any:
    projection = next(one for one in place.made.projections if "value" in one.roles)
    roles, which = len(projection.roles), projection.roles.index("value")

    def hook(_: Any, __: Any, output: Tensor) -> None:
        if projection.interleaved:
            values = output.unflatten(-1, (-1, roles, place.head_size))[..., which, :]
        else:
            values = output.unflatten(-1, (roles, -1, place.head_size))[..., which, :, :]
        see(values)

    return place.projection(projection.name).register_forward_hook(hook)


def _map(see: See, place: Place, grouped: bool) -> Any:
    def hook(_: Any, __: Any, output: Any) -> None:
        found = [part for part in output[1:] if isinstance(part, Tensor) and part.dim() == 4]
        if not found:
            raise UserError(f"{type(place.home).__name__} does not hand out attention maps.")
        weights = found[-1]
        if grouped:
            weights = weights.unflatten(1, (len(place.groups), -1)).mean(2)
        see(weights)

    return place.home.register_forward_hook(hook)


_HOOKS = {"context": _context, "value": _value, "map": _map}
