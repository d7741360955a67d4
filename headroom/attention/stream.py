"""Watch the residual stream before and after every sublayer and block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from headroom.api import Site, Stream
from headroom.attention.acting import acting
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.taps import real_tokens, tap
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
        real = real_tokens(self._plan, self._inputs, site.stack, before.shape[:2], before.device)
        return before[real], after[real]


@contextmanager
def watch(model: nn.Module, sites: Iterable[Site] | None = None) -> Iterator[SiteStream]:
    """Watch the residual stream around these sites (all by default) for the length of a ``with`` block.

    Sublayers with the norm in front: after = before + branch. Norm behind: before = input of the sublayer, after =
    output of its norm. Parallel residuals: both sublayers start from the block's input. Tensors are detached.
    Compiled models run eagerly inside the block; adapters and parametrised or quantised weights are watched like
    others; a pass that no watch sees, as through TorchScript or a module of another make, raises ``UserError`` at its
    end, and so does a copy that ``DataParallel`` runs.
    """
    plan = anatomy(model)
    stream = SiteStream(plan)
    with acting(plan, stream.begin, copies=False) as hooks:
        for site in sorted(plan.places if sites is None else sites):
            hooks.handles += tap(plan.places[site], hooks.noting(site, partial(stream.see, site)))
        yield stream
