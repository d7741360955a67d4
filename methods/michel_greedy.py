"""Rank heads by how far the loss moves when their gate moves (Michel, Levy and Neubig, 2019).

    I_h = E_x | d L(x) / d xi_h |        (section 4.1; xi_h is the head's gate, 1 everywhere)

``absolute`` says where the absolute value sits: per token (the authors' code), per example (the paper's expectation
read literally) or per batch (HF's run_bertology, where the batch size matters). Each site's scores are divided by
their L2 norm unless ``normalise`` is off; then all sites share one list. One scoring serves all targets, as in the
released code, so the plans are nested; ``exact`` scores what is left again before every target (the released
``--exact_pruning``).

Where queries share keys and values the gate is the group's, so the sum over its heads lies inside the absolute value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Track, Unit


class MichelGreedy(Method):
    name = "michel-greedy"
    title = "Michel et al."
    paper = "arXiv:1905.10650"
    track = Track.GRADIENT

    @dataclass(frozen=True)
    class Params:
        examples: int = 512
        batch_size: int = 32
        absolute: Literal["token", "example", "batch"] = "token"
        normalise: bool = True
        exact: bool = False

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        order, gone = list[Unit](), list[Unit]()
        for target in targets:
            count = ctx.units.count(target)
            if not order or (self.params.exact and count < len(ctx.units)):  # where all go there is nothing to choose
                order = self.rescored(ctx, gone)
            gone = order[:count]
            yield Plan(target, frozenset(gone))

    def rescored(self, ctx: Context, gone: Sequence[Unit]) -> list[Unit]:
        """What is gone keeps its place in front; the rest is ordered by its importance in the model without it."""
        with ctx.silenced(gone):
            order = ctx.units.order(self.importance(ctx))
        return [*gone, *(unit for unit in order if unit not in set(gone))]

    def importance(self, ctx: Context) -> Scores:
        score = ctx.units.zeros()
        with ctx.gates(per=self.params.absolute) as gates:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                for site, slope in gates.slopes(ctx.loss(batch)).items():
                    score[site] += slope.abs().reshape(-1, slope.shape[-1]).sum(dim=0)
        if self.params.normalise:
            score = {site: s / (s.norm() + 1e-20) for site, s in score.items()}
        return score
