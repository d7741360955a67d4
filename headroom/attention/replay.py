"""Run a part of a model: again from some block upwards, or block by block from below.

What the blocks below made is kept, from the last whole pass or from the way up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import torch
from torch import nn

from headroom.api import Site
from headroom.attention.anatomy import anatomy
from headroom.attention.compiled import eager
from headroom.attention.plain import refuse, shared_modules
from headroom.attention.stand_ins import Remembered
from headroom.errors import UserError


class Replay:
    """The outputs of every block during one pass, and the pass again without the blocks below a site.

    Compiled models run eagerly in both. Raises ``UserError`` when one block serves two places, or a block's output is
    missing because a module of another make did its work. What a block's weights are does not matter.
    """

    def __init__(self, model: nn.Module) -> None:
        plan = anatomy(model)
        refuse(shared_modules(plan.places))
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
            with eager():
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
            if block not in self._outputs:
                raise UserError(_never(blocks, place))
        with _remembering([(blocks, place, self._outputs[block]) for blocks, place, block in below]):
            yield


def _never(blocks: Any, place: int) -> str:
    return (
        f"block {place} of {len(blocks)} ({type(blocks[place]).__name__}) made nothing: no whole pass went through it. "
        "Run one inside recorded(), and put transformers' own modules back where others do the work of blocks."
    )


class Arrived(Exception):
    """A batch has been through the block that it had to go through; those above need not run."""


class Climb:
    """Batches on their way up a model, a block at a time, encoder first: each block runs on what those below made.

    Only what the topmost block made of each batch is kept. ``runs`` counts the blocks that have run, per example.
    Compiled models run eagerly. Raises ``UserError`` when one block serves two places, or is not called because a
    module of another make does its work. What a block's weights are does not matter.
    """

    def __init__(self, model: nn.Module, batches: Sequence[dict[str, Any]]) -> None:
        plan = anatomy(model)
        refuse(shared_modules(plan.places))
        self._model, self._batches = model, batches
        order = [(stack, layer) for stack in plan.stacks for layer in plan.removal.blocks(stack)]
        places = [(plan.blocks(stack), place) for stack in plan.stacks for place in range(len(plan.blocks(stack)))]
        self._blocks = [(stack, *where) for (stack, _), where in zip(order, places, strict=True)]
        self._level = {key: level for level, key in enumerate(order)}
        self._made: list[dict[str, Any]] = [{} for _ in batches]  # by stack, by the topmost block that has run
        self._passed = 0  # blocks that all batches are through
        self.runs = 0.0

    def up_to(self, site: Site) -> None:
        """Carry every batch to the block of a site, through all that lie below it, as the model is now."""
        for level in range(self._passed, self._level[site.stack, site.layer]):
            stack = self._blocks[level][0]
            for batch, made in zip(self._batches, self._made, strict=True):
                made[stack] = self._run(level, batch, made)
            self._passed = level + 1

    def through(self, site: Site) -> Iterator[dict[str, Any]]:
        """Run the block of the site alone on each batch in turn; nothing is kept of it."""
        for batch, made in zip(self._batches, self._made, strict=True):
            self._run(self._level[site.stack, site.layer], batch, made)
            yield batch

    def _run(self, level: int, batch: dict[str, Any], made: dict[str, Any]) -> Any:
        _, blocks, place = self._blocks[level]
        # of a finished stack and of the blocks below, all answer alike: only the topmost one is heard
        below = [(there, at, made[stack]) for stack, there, at in self._blocks[:level]]
        output: list[Any] = []

        def arrive(_: nn.Module, __: Any, made_here: Any) -> NoReturn:
            output.append(made_here)
            raise Arrived

        self.runs += len(next(iter(batch.values()))) / len(self._blocks)
        handle = blocks[place].register_forward_hook(arrive)  # the last of its hooks, so that all others are heard
        try:
            with torch.inference_mode(), _remembering(below), suppress(Arrived):
                self._model(**batch)
        finally:
            handle.remove()
        if not output:
            raise UserError(_never(blocks, place))
        return output[0]


@contextmanager
def _remembering(outputs: list[tuple[Any, int, Any]]) -> Iterator[None]:
    """Let blocks, each given as its list, its place in it and an output, answer from memory in the ``with`` block."""
    blocks = [there[place] for there, place, _ in outputs]
    for (there, place, output), block in zip(outputs, blocks, strict=True):
        there[place] = Remembered(block, output)
    try:
        with eager():
            yield
    finally:
        for (there, place, _), block in zip(outputs, blocks, strict=True):
            there[place] = block
