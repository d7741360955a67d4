"""Remove the heads whose weights matter least to the loss, to first order (Ma et al., 2023, LLM-Pruner).

    salience of a weight = W * dL/dW       for the coupled q, k and v rows and o columns of a head

``sums`` says where the absolute value sits: at each weight (the released ``param_first``), at each channel, that is a
row of q, k, v or a column of o (the released ``vectorize``), or at the head as a whole (the equation read literally).
The loss is that of all calibration examples together. As released, the same share of every site goes, but for the
first and the last layers, which are spared: 4 and 2 of 32 there, here the same shares of the layers, and they follow
once all else is gone. ``scope: global`` sorts all heads in one list.

What the released code does differently: where queries share keys and values it adds the salience of query head h to
group h mod K of K, and removes it with group h // (H / K), to which it belongs. Its figures for Llama-3 and TinyLlama
come from that; ``queries: released`` does the same. It crashes where the share of a layer is less than one group, and
its global mode leaves layers whole; here the rest is spread over the layers, so that the share asked for is met.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Site, Track, Unit

SUMS: dict[str, Callable[[Any], Any]] = {  # of saliences (channels, width)
    "weight": lambda salience: salience.abs().sum(),
    "channel": lambda salience: salience.sum(-1).abs().sum(),
    "head": lambda salience: salience.sum(),
}


class TaylorWeight(Method):
    name = "taylor-weight"
    title = "LLM-Pruner Taylor"
    paper = "arXiv:2305.11627"
    track = Track.GRADIENT

    @dataclass(frozen=True)
    class Params:
        sums: Literal["weight", "channel", "head"] = "weight"
        scope: Literal["site", "global"] = "site"
        queries: Literal["own", "released"] = "own"
        spare_first: float = 4 / 32
        spare_last: float = 2 / 32
        examples: int = 10
        batch_size: int = 10

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = self.salience(ctx)
        if self.params.scope == "site":
            score = {site: s.argsort(stable=True).argsort().double() / len(s) for site, s in score.items()}
        above_all = 1 + max(float(s.max()) for s in score.values())
        score = {site: s + above_all if self.spared(ctx, site) else s for site, s in score.items()}
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def salience(self, ctx: Context) -> Scores:
        score = ctx.units.zeros()
        with ctx.edited():
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.loss(batch).backward()
            for weight in ctx.model.parameters():
                weight.data.mul_(weight.grad if weight.grad is not None else 0)  # now the weights are saliences
            for site, units in ctx.units.sites.items():
                for place, parts in enumerate(self.coupled(ctx, units)):
                    channels = [part.T if role == "out" else part for role, part in parts.items()]
                    score[site][place] = abs(sum(SUMS[self.params.sums](part) for part in channels))
        return score

    def coupled(self, ctx: Context, units: list[Unit]) -> list[dict[str, Any]]:
        """The weights that go with each unit of a site, by role, or those that the released code adds up for it."""
        own = [ctx.weights(unit) for unit in units]
        if self.params.queries == "own" or units[0].grain is Grain.HEAD:
            return own
        from torch import cat

        dealt = {}
        for role, dim in (("query", 0), ("out", 1)):
            every = cat([parts[role] for parts in own], dim)
            size = own[0]["key"].shape[0]  # of a head
            heads = every.split(size, dim)
            dealt[role] = [cat(heads[group :: len(units)], dim) for group in range(len(units))]
        return [parts | {role: dealt[role][group] for role in dealt} for group, parts in enumerate(own)]

    def spared(self, ctx: Context, site: Site) -> bool:
        layers = 1 + max(other.layer for other in ctx.units.sites if other.stack == site.stack)
        first, last = round(self.params.spare_first * layers), round(self.params.spare_last * layers)
        return not first <= site.layer < layers - last
