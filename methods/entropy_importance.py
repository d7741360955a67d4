"""Join a head's importance with the entropy of its attention (Choi et al., 2025, HIES).

    score = alpha * I + (1 - alpha) * (1 - E),     I and E scaled to 0..1 over all heads of the model
    I = E_x | d L(x) / d xi_h |                    (Michel et al.; divided by the site's L2 norm)
    E = mean over query tokens of - sum over keys of a log a       (a: attention weights)

A head goes when the loss does not need it and its attention is spread out. ``spread: keep`` turns the second term
round, to alpha * I + (1 - alpha) * E. The abstract of the paper says that both are integrated; the sum, its sign and
the scaling are our reading of it (no code was released), which is why the sign is a parameter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Track


class EntropyImportance(Method):
    name = "entropy-importance"
    title = "Importance and entropy"
    paper = "arXiv:2510.13832"
    track = Track.GRADIENT

    @dataclass(frozen=True)
    class Params:
        alpha: float = 0.5
        spread: Literal["drop", "keep"] = "drop"
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        importance, entropy = (scaled(score) for score in self.measured(ctx))
        alpha, keep = self.params.alpha, self.params.spread == "keep"
        focus = {site: e if keep else 1 - e for site, e in entropy.items()}
        score = {site: alpha * importance[site] + (1 - alpha) * focus[site] for site in ctx.units.sites}
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def measured(self, ctx: Context) -> tuple[Scores, Scores]:
        """Importance and entropy of every head, from the same passes."""
        importance, entropy, queries = ctx.units.zeros(), ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        with ctx.gates(per="example") as gates, ctx.heads("map") as heads:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                for site, slope in gates.slopes(ctx.loss(batch)).items():
                    importance[site] += slope.abs().sum(0)
                    # padded queries have rows of zeros, and 0 log 0 is 0
                    entropy[site] += entropies(heads.at(site).detach().float()).sum((0, 2))
                    queries[site] += int(heads.real(site).sum())
        return (
            {site: s / (s.norm() + 1e-20) for site, s in importance.items()},
            {site: s / queries[site] for site, s in entropy.items()},
        )


def entropies(maps: Any) -> Any:
    """Of every row of attention weights, in nats: (..., queries, keys) to (..., queries)."""
    from torch import xlogy

    return -xlogy(maps, maps).sum(-1)


def scaled(score: Scores) -> Scores:
    """From 0 at the lowest to 1 at the highest of all sites; all 0 where they are alike."""
    low, high = min(float(s.min()) for s in score.values()), max(float(s.max()) for s in score.values())
    return {site: (s - low) / (high - low or 1.0) for site, s in score.items()}
