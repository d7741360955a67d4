"""Drop the sublayers that change the residual stream least (He et al., 2024, LLM-Drop).

    S = 1 - mean over tokens of cos(X, Y)      (equation 1; Y has the residual inside)

X is the stream before the sublayer and Y after it, in float32 and over real tokens only. ``remove`` says what is
scored: attention sublayers, MLPs, whole blocks (the same as ShortGPT's Block Influence, arXiv:2403.03853), or
attention and MLP together in one list (``joint``). Where the norm stands behind the residual, Y is what it makes and
it goes with its sublayer; where attention and MLP run side by side, both have the same X. Sublayers of an encoder and
a decoder share one list.

``residual: false`` scores cos(X, Y - X), the paper's ablation that collapses (Table 6). ``iterative`` scores what is
left again after every removal. Otherwise one forward pass serves all targets. The plans are nested either way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Unit

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
        with ctx.silenced(gone):
            left = [unit for unit in ctx.units.order(self.distance(ctx)) if unit not in set(gone)]
        return left[:1] if self.params.iterative else left

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
