"""Watch the residual stream before and after every sublayer and block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from headroom.api import Site, Stream
from headroom.attention.anatomy import Anatomy, Place, anatomy
from headroom.attention.presence import presence
from headroom.attention.taps import on_inputs, tap
from headroom.errors import UserError


class SiteStream(Stream):
    """What one ``with watch(...)`` block has seen during the last forward pass."""

    def __init__(self, plan: Anatomy) -> None:
        self._plan = plan
        self._seen: dict[Site, tuple[Tensor, Tensor]] = {}
        self._inputs: dict[str, Any] = {}

    def begin(self, inputs: dict[str, Any]) -> None:
        """A forward pass starts: forget the last one."""
        self._inputs = inputs
        self._seen.clear()

    def see(self, site: Site, before: Tensor, after: Tensor) -> None:
        """Keep what went into and came out of a site; ``after`` may be only what is added to the stream."""
        self._seen[site] = (before.detach(), after.detach())

    def around(self, site: Site) -> tuple[Tensor, Tensor]:
        """See ``api.Stream.around``: both (tokens, width), float32 or better, pads left out.

        Raises ``UserError`` when the site is not in the model, or no pass has reached it.
        """
        if site not in self._seen:
            known = ", ".join(str(seen) for seen in sorted(self._seen)) or "none: run a forward pass first"
            raise UserError(f"no stream was seen around {site}. Seen: {known}.")
        before, after = (tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in self._seen[site])
        sublayer = self._plan.places[site].sublayer
        if sublayer is not None and sublayer.adds:
            after = before + after
        real = self._real_tokens(site, before)
        return before[real], after[real]

    def _real_tokens(self, site: Site, stream: Tensor) -> Tensor:
        """Which tokens are no padding, (batch, tokens)."""
        present = presence(self._plan, self._inputs, site.stack)
        if present is None:
            return torch.ones(stream.shape[:2], dtype=torch.bool, device=stream.device)
        # with a cache the mask covers the past as well; the stream holds only the last tokens
        return present.to(stream.device).bool()[:, -stream.shape[1] :]


def _watch_place(stream: SiteStream, place: Place) -> list[Any]:
    def look(before: Tensor, after: Tensor) -> None:
        stream.see(place.site, before, after)

    return tap(place, look)


@contextmanager
def watch(model: nn.Module, sites: Iterable[Site] | None = None) -> Iterator[SiteStream]:
    """Watch the residual stream around these sites (all by default) for the length of a ``with`` block.

    Sublayers with the norm in front: after = before + branch. Norm behind: before = input of the sublayer, after =
    output of its norm. Parallel residuals: both sublayers start from the block's input. Tensors are detached.
    """
    plan = anatomy(model)
    stream = SiteStream(plan)

    handles = [on_inputs(model, stream.begin)]
    try:
        for site in sorted(plan.places if sites is None else sites):
            handles += _watch_place(stream, plan.places[site])
        yield stream
    finally:
        for handle in handles:
            handle.remove()
