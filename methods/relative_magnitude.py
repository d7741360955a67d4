"""Drop the sublayers whose own part of the residual stream is smallest (Men et al., 2024, ShortGPT's comparison).

    R = mean over tokens of || f(x) || / || x + f(x) ||

x is the stream before the sublayer and x + f(x) after it. Unlike the cosine it sees a change of length and not only
of direction. Where the norm stands behind the residual, f(x) is all that the sublayer and its norm change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan, Scores


class RelativeMagnitude(Method):
    name = "relative-magnitude"
    title = "Relative magnitude"
    paper = "arXiv:2403.03853"

    @dataclass(frozen=True)
    class Params:
        remove: Literal["attention", "mlp", "block"] = "attention"
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return (Grain(self.params.remove),)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = self.magnitude(ctx)
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def magnitude(self, ctx: Context) -> Scores:
        ratio, tokens = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        with ctx.stream() as stream:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.logits(batch)
                for site in ctx.units.sites:
                    before, after = (states.float() for states in stream.around(site))
                    ratio[site] += ((after - before).norm(dim=-1) / after.norm(dim=-1).clamp_min(1e-8)).sum()
                    tokens[site] += len(before)
        return {site: ratio[site] / tokens[site] for site in ctx.units.sites}
