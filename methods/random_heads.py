"""Remove units in a random order: what a score has to beat. Each seed is one draw, nested over the targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from headroom.api import Context, Grain, Method, Plan


class RandomHeads(Method):
    name = "random-heads"
    title = "Random"
    paper = "none"
    stochastic = True
    scores = False

    @dataclass(frozen=True)
    class Params:
        remove: Literal["head", "attention", "mlp", "block", "joint"] = "head"  # joint: attention and mlp in one hat

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.ATTENTION, Grain.MLP) if self.params.remove == "joint" else (Grain(self.params.remove),)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        order = Random(ctx.seed).sample(ctx.units.all, len(ctx.units))
        for target in targets:
            yield Plan(target, ctx.units.first(order, target))
