"""Remove the heads whose weights and inputs are small together (Wanda-sp, in FLAP's repository, An et al., 2024).

    score of a head = sum over its channels j of mean over i of |W_O[i, j]| * || x_j ||

x_j is what enters the output projection on channel j, || x_j || its root mean square over real calibration tokens.
The same share of every site goes. ``sequential``, as released, scores a site in the model that has already lost what
went from the sites before it, once per target, so its plans need not be nested; otherwise one pass serves all targets.
The hidden states are carried up from site to site, as released, so a target costs about two passes.

What the released code does differently: it removes int(share x heads) from each site. So does this where that is a
whole number; where it is not, the rest is spread from the lowest layers up, so that the share of the whole model is
the one asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from headroom.api import Context, Grain, Method, Plan, Site, Unit, Units


class WandaHead(Method):
    name = "wanda-head"
    title = "Wanda, heads"
    paper = "arXiv:2312.11983"

    @dataclass(frozen=True)
    class Params:
        examples: int = 128
        batch_size: int = 32
        sequential: bool = True

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        batches = list(ctx.calibration(self.params.examples, self.params.batch_size))
        if self.params.sequential:
            yield from (Plan(target, self.from_below(ctx, batches, quotas(ctx.units, target))) for target in targets)
            return
        orders = self.orders(ctx, self.passes(ctx, batches), list(ctx.units.sites))
        for target in targets:
            quota = quotas(ctx.units, target)
            yield Plan(target, frozenset(unit for site, count in quota.items() for unit in orders[site][:count]))

    def from_below(self, ctx: Context, batches: list[Any], quota: dict[Site, int]) -> frozenset[Unit]:
        """What goes of each site, chosen in the model that has lost what goes of the sites before it."""
        sites = ctx.units.sites
        drop = [unit for site, count in quota.items() if count == len(sites[site]) for unit in sites[site]]
        undecided = [site for site, count in quota.items() if 0 < count < len(sites[site])]
        with ExitStack() as gone:
            gone.enter_context(ctx.silenced(drop))
            for site, passes in ctx.upwards(batches, undecided):
                lowest = self.orders(ctx, passes, [site])[site][: quota[site]]
                gone.enter_context(ctx.silenced(lowest))
                drop += lowest
        return frozenset(drop)

    def passes(self, ctx: Context, batches: Iterable[Any]) -> Iterator[Any]:
        """Every batch, once the whole model has run on it."""
        for batch in batches:
            ctx.logits(batch)
            yield batch

    def orders(self, ctx: Context, passes: Iterable[Any], sites: list[Site]) -> dict[Site, list[Unit]]:
        """The heads of each site, lowest score first."""
        found = {}
        for site, sizes in self.sizes(ctx, passes, sites).items():
            heads = zip(ctx.units.sites[site], sizes, strict=True)
            score = {unit: float((ctx.weights(unit)["out"].abs().mean(0) * size).sum()) for unit, size in heads}
            found[site] = sorted(score, key=lambda unit: (score[unit], unit.place))
        return found

    def sizes(self, ctx: Context, passes: Iterable[Any], sites: list[Site]) -> dict[Site, Any]:
        """|| x_j || of every channel of every head, (units, size)."""
        squares, tokens = dict[Site, Any](), dict.fromkeys(sites, 0)
        with ctx.heads("context") as heads:
            for _ in passes:
                for site in sites:
                    squares[site] = squares.get(site, 0) + heads.at(site).double().square().sum((0, 1))
                    tokens[site] += int(heads.real(site).sum())
        return {site: (squares[site] / tokens[site]).sqrt() for site in sites}


def quotas(units: Units, target: float) -> dict[Site, int]:
    """How many heads each site loses."""
    places = [(place / len(heads), site) for site, heads in units.sites.items() for place in range(1, len(heads) + 1)]
    chosen = [site for _, site in sorted(places, key=lambda one: (one[0], one[1].place))][: units.count(target)]
    return {site: chosen.count(site) for site in units.sites}
