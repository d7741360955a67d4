"""Drop sublayers by their depth alone, without looking at any data (Tyukin et al., 2024; LLM-Drop's reverse order).

``order`` says which go first: the deepest, the shallowest, or every second one from the deepest up and then the rest
(``alternate``; Sajjad et al., 2020, arXiv:2004.03844). ``keep_last`` leaves the last layer of each stack to the end.
Depth is relative, so that the stacks of an encoder-decoder are peeled from their ends together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan


class ByDepth(Method):
    name = "by-depth"
    title = "By depth"
    paper = "arXiv:2407.15516"
    calibrated = False
    scores = False

    @dataclass(frozen=True)
    class Params:
        order: Literal["deepest", "shallowest", "alternate"] = "alternate"
        remove: Literal["attention", "mlp", "block"] = "attention"
        keep_last: bool = False

    def removes(self) -> tuple[Grain, ...]:
        return (Grain(self.params.remove),)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        score, layers = ctx.units.zeros(), dict[str, int]()
        for site in ctx.units.sites:
            layers[site.stack] = max(layers.get(site.stack, 1), site.layer + 1)
        for site in score:
            score[site] += self.turn(site.layer + 1, layers[site.stack])
        for target in targets:
            yield Plan(target, ctx.units.lowest(score, target))

    def turn(self, layer: int, layers: int) -> float:
        """When the layer goes, lowest first; layers are counted from one."""
        if self.params.keep_last and layer == layers:
            return float("inf")
        if self.params.order == "shallowest":
            return layer / layers
        second_round = self.params.order == "alternate" and (layers - layer) % 2
        return second_round - layer / layers
