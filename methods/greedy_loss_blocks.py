"""Remove the block without which the loss grows least, and again on what is left (Song et al., 2024, SLEB).

    next = argmin over what is left of  sum over calibration examples of L( without the removed and this one )

L is the mean negative log-likelihood of an example's tokens, the logarithm of its perplexity; in a model that answers
with a class it is the class's. The plans are nested. ``remove`` says what is tried: whole blocks as in the paper,
attention sublayers, MLPs, or attention and MLP in one list. The blocks below a candidate run once for all candidates
(``each_silenced``), so ranking all n of them costs about n^2 / 4 passes over the calibration data.

What the released code does differently: it never tries the first and the last of the blocks that are left (its
barriers), which is ``first: 1, last: 1`` here, of each stack, until nothing else is left. Its examples are all equally
long, so that tokens and examples count alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Unit

GRAINS = {
    "block": (Grain.BLOCK,),
    "attention": (Grain.ATTENTION,),
    "mlp": (Grain.MLP,),
    "joint": (Grain.ATTENTION, Grain.MLP),
}


class GreedyLossBlocks(Method):
    name = "greedy-loss-blocks"
    title = "Greedy by loss"
    paper = "arXiv:2402.09025"
    sees_duplicates = True

    @dataclass(frozen=True)
    class Params:
        remove: Literal["block", "attention", "mlp", "joint"] = "block"
        first: int = 0  # how many of what is left are never tried, at the beginning of each stack
        last: int = 0  # and at its end
        examples: int = 64  # the released code has 128 of 2,048 tokens
        batch_size: int = 16

    def removes(self) -> tuple[Grain, ...]:
        return GRAINS[self.params.remove]

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        batches = list(ctx.calibration(self.params.examples, self.params.batch_size))
        gone: list[Unit] = []
        for target in targets:
            while len(gone) < ctx.units.count(target):
                gone.append(self.next(ctx, gone, batches))
            yield Plan(target, frozenset(gone))

    def next(self, ctx: Context, gone: list[Unit], batches: list[Any]) -> Unit:
        """The candidate without which the loss is least; ties by place."""
        total = dict.fromkeys(self.candidates(ctx, gone), 0.0)
        with ctx.silenced(gone):
            for batch in batches:
                for unit, logits in ctx.each_silenced(batch, total):
                    total[unit] += float(ctx.losses(batch, logits).sum())
        return min(total, key=lambda unit: (total[unit], unit.place))

    def candidates(self, ctx: Context, gone: list[Unit]) -> list[Unit]:
        """What is left, without the ends of each stack as long as something lies between them."""
        left = [unit for unit in ctx.units if unit not in set(gone)]
        within: list[Unit] = []
        for stack in sorted({unit.site.stack for unit in left}):
            layers = sorted({unit.site.layer for unit in left if unit.site.stack == stack})
            inner = set(layers[self.params.first : len(layers) - self.params.last])
            within += [unit for unit in left if unit.site.stack == stack and unit.site.layer in inner]
        return within or left
