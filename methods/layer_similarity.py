"""Drop the sublayers that change the residual stream least (He et al., 2024, LLM-Drop).

    S = 1 - mean over tokens of cos(X, Y)      (equation 1; Y has the residual inside)

X is the stream before the sublayer and Y after it, in float32 and over real tokens only. ``remove`` says what is
scored: attention sublayers, MLPs, whole blocks, or attention and MLP together in one list (``joint``). One forward
pass serves all targets and the plans are nested.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan, Scores

GRAINS = {
    "attention": (Grain.ATTENTION,),
    "mlp": (Grain.MLP,),
    "block": (Grain.BLOCK,),
    "joint": (Grain.ATTENTION, Grain.MLP),
}


class LayerSimilarity(Method):
    name = "layer-similarity"
    title = "Layer similarity"
    paper = "arXiv:2406.15786"

    @dataclass(frozen=True)
    class Params:
        remove: Literal["attention", "mlp", "block", "joint"] = "attention"
        examples: int = 256
        batch_size: int = 32

    def removes(self) -> tuple[Grain, ...]:
        return GRAINS[self.params.remove]

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score = self.distance(ctx)
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def distance(self, ctx: Context) -> Scores:
        similarity, tokens = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        with ctx.stream() as stream:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.logits(batch)
                for site in ctx.units.sites:
                    before, after = (states.float() for states in stream.around(site))
                    cosine = (before * after).sum(-1) / (before.norm(dim=-1) * after.norm(dim=-1)).clamp_min(1e-8)
                    similarity[site] += cosine.sum()
                    tokens[site] += len(cosine)
        return {site: 1 - similarity[site] / tokens[site] for site in ctx.units.sites}
