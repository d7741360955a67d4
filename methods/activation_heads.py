"""Remove the heads whose output is small on average (Muralidharan et al., 2024, Minitron).

    importance of a head = mean over examples and tokens of || Attn(X W_Q, X W_K, X W_V) ||_2

The output is what enters the output projection from that head, and padded positions are left out. A model of the paper
has the same number of heads in every layer, so the same share goes of every site; ``scope: global`` divides each site's
scores by their L2 norm and sorts all heads together. Where queries share keys and values, a group's output is that of
its query heads side by side, and the group goes; the paper removes query heads inside their groups.

What the released code does differently: it takes the mean of the size of each channel over the tokens of an example
first, then the L2 norm over examples and over the head's channels, || mean over tokens of |x_j| ||_2. That is
``aggregation: released`` here, with the mean over an example's real tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Scores


class ActivationHeads(Method):
    name = "activation-heads"
    title = "Minitron, heads"
    paper = "arXiv:2407.14679"

    @dataclass(frozen=True)
    class Params:
        aggregation: Literal["mean", "released"] = "mean"
        scope: Literal["site", "global"] = "site"
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def expected_failures(self) -> dict[str, str]:
        why = "The same share goes of every site, so one that is rich in dead heads keeps some of them."
        return {"check_the_dead_go_before_the_vital": why} if self.params.scope == "site" else {}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        importance = self.importance(ctx)
        scaled = (lambda s: s / s.norm().clamp_min(1e-30)) if self.params.scope == "global" else ranks
        score = {site: scaled(s) for site, s in importance.items()}
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def importance(self, ctx: Context) -> Scores:
        sizes, counted = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        aggregate = token_norms if self.params.aggregation == "mean" else example_channels
        with ctx.heads("context") as heads:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.logits(batch)
                for site in ctx.units.sites:
                    total, count = aggregate(heads.at(site).float(), heads.real(site))
                    sizes[site] += total
                    counted[site] += count
        means = {site: sizes[site] / counted[site] for site in ctx.units.sites}
        return means if self.params.aggregation == "mean" else {site: mean.sqrt() for site, mean in means.items()}


def token_norms(made: Any, real: Any) -> tuple[Any, int]:
    """Sum of the L2 norms of every head, (units,), and of how many tokens; ``made`` is zero where it is padded."""
    return made.norm(dim=-1).sum((0, 1)), int(real.sum())


def example_channels(made: Any, real: Any) -> tuple[Any, int]:
    """Sum of the squares of every head's mean channels, (units,), and of how many examples."""
    tokens = real.sum(1).clamp_min(1)[:, None, None]
    return (made.abs().sum(1) / tokens).square().sum((0, 2)), len(made)


def ranks(scores: Any) -> Any:
    """The place of each head within its site, 0 to 1: sorting by it removes evenly from all sites."""
    return scores.argsort(stable=True).argsort().float() / len(scores)
