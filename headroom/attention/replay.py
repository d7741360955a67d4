"""Run a model again from some block upwards: what the blocks below made is kept from the last whole pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from headroom.api import Site
from headroom.attention.anatomy import anatomy


class Replay:
    """The outputs of every block during one pass, and the pass again without the blocks below a site."""

    def __init__(self, model: nn.Module) -> None:
        plan = anatomy(model)
        self._blocks = [(stack, block) for stack in plan.stacks for block in plan.blocks(stack)]
        self._layers = {id(place.block): site.layer for site, place in plan.places.items()}
        self._outputs: dict[int, Any] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keep what every block makes in the pass inside the ``with`` block."""
        self._outputs.clear()
        handles = [block.register_forward_hook(self._keep) for _, block in self._blocks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, block: nn.Module, _: Any, output: Any) -> None:
        self._outputs[id(block)] = output

    @contextmanager
    def above(self, site: Site) -> Iterator[None]:
        """The blocks that a change at ``site`` cannot reach answer from memory. For the same batch only."""
        below = [block for stack, block in self._blocks if self._is_below(stack, block, site)]
        for block in below:
            block.forward = self._answer(block)  # the instance's own attribute; deleting it brings the method back
        try:
            yield
        finally:
            for block in below:
                del block.forward

    def _is_below(self, stack: str, block: nn.Module, site: Site) -> bool:
        if stack != site.stack:
            return stack == "encoder"
        return id(block) in self._layers and self._layers[id(block)] < site.layer

    def _answer(self, block: nn.Module) -> Any:
        output = self._outputs[id(block)]
        return lambda *_, **__: output
