"""Run a model again from some block upwards: what the blocks below made is kept from the last whole pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from headroom.api import Site
from headroom.attention.anatomy import anatomy


class Remembered(nn.Module):
    """Stands where a block stood and answers with what that block made before; in all else it is the block.

    A stand-in rather than another ``forward`` on the block: hooks on the block do not run again, and they must not,
    since what is remembered has been through them (and those on OPT's MLP need what never runs here).
    """

    def __init__(self, block: nn.Module, output: Any) -> None:
        super().__init__()
        object.__setattr__(self, "_block", block)  # not as a submodule: its parameters stay under their own names
        self._output = output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)

    def forward(self, *_: Any, **__: Any) -> Any:
        return self._output


class Replay:
    """The outputs of every block during one pass, and the pass again without the blocks below a site."""

    def __init__(self, model: nn.Module) -> None:
        plan = anatomy(model)
        # (stack, layer in dense numbering, list of blocks, place in it)
        self._blocks = [
            (stack, layer, plan.blocks(stack), place)
            for stack in plan.stacks
            for place, layer in enumerate(plan.removal.blocks(stack))
        ]
        self._outputs: dict[nn.Module, Any] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keep what every block makes in the pass inside the ``with`` block."""
        self._outputs.clear()
        handles = [blocks[place].register_forward_hook(self._keep) for _, _, blocks, place in self._blocks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, block: nn.Module, _: Any, output: Any) -> None:
        self._outputs[block] = output

    @contextmanager
    def above(self, site: Site) -> Iterator[None]:
        """The blocks that a change at ``site`` cannot reach answer from memory. For the same batch only."""
        below = [
            (blocks, place, blocks[place])
            for stack, layer, blocks, place in self._blocks
            if (layer < site.layer if stack == site.stack else stack == "encoder")  # encoders run before decoders
        ]
        for blocks, place, block in below:
            blocks[place] = Remembered(block, self._outputs[block])
        try:
            yield
        finally:
            for blocks, place, block in below:
                blocks[place] = block
