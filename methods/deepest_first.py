"""Drop the deepest sublayers first, without looking at any data (Tyukin et al., 2024; LLM-Drop's reverse order)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan


class DeepestFirst(Method):
    name = "deepest-first"
    title = "Deepest first"
    paper = "arXiv:2407.15516"
    calibrated = False

    @dataclass(frozen=True)
    class Params:
        remove: Literal["attention", "mlp", "block"] = "attention"

    def removes(self) -> tuple[Grain, ...]:
        return (Grain(self.params.remove),)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score, depth = ctx.units.zeros(), dict[str, int]()
        for site in ctx.units.sites:
            depth[site.stack] = max(depth.get(site.stack, 1), site.layer + 1)
        for (
            site
        ) in score:  # relative depth, so that the stacks of an encoder-decoder are peeled from their ends together
            score[site] += -(site.layer + 1) / depth[site.stack]
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))
