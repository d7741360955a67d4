"""Drop the sublayers that change the residual stream least (He et al., 2024, LLM-Drop).

    S = 1 - mean over tokens of cos(X, Y)      (equation 1; Y has the residual inside)

X is the stream before the sublayer and Y after it, in float32 and over real tokens only. ``remove`` says what is
scored: attention sublayers, MLPs, whole blocks (the same as ShortGPT's Block Influence, arXiv:2403.03853), or
attention and MLP together in one list (``joint``). Where the norm stands behind the residual, Y is what it makes and
it goes with its sublayer; where attention and MLP run side by side, both have the same X. Sublayers of an encoder and
a decoder share one list.

``residual: false`` scores cos(X, Y - X), the paper's ablation that collapses (Table 6). ``iterative`` scores what is
left again after every removal. Otherwise one forward pass serves all targets. The plans are nested either way.

What the released code does differently: when it scores again, it skips the whole block of a sublayer that has gone,
the MLP of a lost attention too, so all later scores come from a stream that no model has; with ``joint`` it does so
for attention and MLP in turn. ``iterative`` with ``released`` is that. The paper's finding that scoring again is no
better than scoring once rests on it. On Gemma it takes the wrong norm for the MLP, and branches before the norms behind
them. ShortGPT's code, FinerCut's comparison with it and PruneMe read the stream after the last block behind the final
norm, which makes the last block look vital (an influence of 1.11 instead of 0.26); here it is the stream itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Site, Unit

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
        residual: bool = True
        iterative: bool = False
        released: bool = False  # iterative: score what is left in the stream of the released code

    def removes(self) -> tuple[Grain, ...]:
        return GRAINS[self.params.remove]

    def expected_failures(self) -> dict[str, str]:
        why = "What a dead sublayer adds has no direction: without the residual it looks unlike its input (Table 6)."
        return {} if self.params.residual else {"check_the_dead_go_before_the_vital": why}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        order: list[Unit] = []
        for target in targets:
            while len(order) < ctx.units.count(target):
                order += self.next(ctx, order)
            yield Plan(target, ctx.units.first(order, target))

    def next(self, ctx: Context, gone: Sequence[Unit]) -> list[Unit]:
        """What follows in the order when these have gone: one unit, or all that are left."""
        left = [unit for unit in ctx.units.order(self.distance_without(ctx, gone)) if unit not in set(gone)]
        return left[:1] if self.params.iterative else left

    def distance_without(self, ctx: Context, gone: Sequence[Unit]) -> Scores:
        """S in the model without these, or as the released code finds it: without the whole blocks of its like."""
        if not (self.params.released and gone):
            with ctx.silenced(gone):
                return self.distance(ctx)
        score: Scores = {}
        for grain in self.removes():
            blocks = [Unit(Site(unit.site.stack, "block", unit.site.layer), Grain.BLOCK) for unit in gone]
            skipped = [block for block, unit in zip(blocks, gone, strict=True) if unit.grain is grain]
            with ctx.silenced([*gone, *skipped]):
                found = self.distance(ctx)
            score |= {site: found[site] for site, units in ctx.units.sites.items() if units[0].grain is grain}
        return score

    def distance(self, ctx: Context) -> Scores:
        similarity, tokens = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0)
        with ctx.stream() as stream:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                ctx.logits(batch)
                for site in ctx.units.sites:
                    before, after = (states.float() for states in stream.around(site))
                    cosines = cosine(before, after if self.params.residual else after - before)
                    similarity[site] += cosines.sum()
                    tokens[site] += len(cosines)
        return {site: 1 - similarity[site] / tokens[site] for site in ctx.units.sites}


def cosine(one: Any, other: Any) -> Any:
    """Of each token, (tokens,); zero where either has no length."""
    return (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1)).clamp_min(1e-8)
