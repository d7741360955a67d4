"""Rank heads by how far the loss moves when their gate moves (Michel, Levy and Neubig, 2019).

    I_h = E_x | d L(x) / d xi_h |        (section 4.1; xi_h is the head's gate, 1 everywhere)

``absolute`` says where the absolute value sits: per token (the authors' code), per example (the paper's expectation
read literally) or per batch: one gradient a batch, as in TextPruner and in rycolab's code for differentiable subset
pruning, where the batch size matters. Each site's scores are divided by their L2 norm unless ``normalise`` is off;
then all sites share one list. One scoring serves all targets, as in the released code, so the plans are nested;
``exact`` scores what is left again before every target (the released ``--exact_pruning``).

Without ``normalise``, ``divisors`` says what the sums are divided by before they share a list. ``released``: the last
layer of a classifier by the number of examples, since in it the loss reaches one token of each only, and all others by
the number of real tokens that they see (the authors' BERT; their fairseq divides every module by its own tokens).
``none`` leaves the sums as they are.

Where queries share keys and values the gate is the group's, so the sum over its heads lies inside the absolute value.

What the released code does differently: for translation it counts the decoder's padding among its tokens. HF's
``run_bertology``, which is often taken for "per batch", never clears the gradient of its mask and so sums the sizes of
a running total.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

from headroom.api import Context, Grain, Method, Plan, Scores, Site, Track, Unit


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
        divisors: Literal["released", "none"] = "released"  # where nothing is normalised
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
        score, tokens, examples = ctx.units.zeros(), dict.fromkeys(ctx.units.sites, 0), 0
        watched = nullcontext() if self.params.normalise else ctx.heads()  # norms need no count of tokens
        with ctx.gates(per=self.params.absolute) as gates, watched as heads:
            for batch in ctx.calibration(self.params.examples, self.params.batch_size):
                examples += len(batch["labels"])
                for site, slope in gates.slopes(ctx.loss(batch)).items():
                    score[site] += slope.abs().reshape(-1, slope.shape[-1]).sum(dim=0)
                    tokens[site] += int(heads.real(site).sum()) if heads else 0
        if self.params.normalise:
            return {site: s / (s.norm() + 1e-20) for site, s in score.items()}
        if self.params.divisors == "released":
            return {site: s / (examples if read_once(ctx, site) else tokens[site]) for site, s in score.items()}
        return score


def read_once(ctx: Context, site: Site) -> bool:
    """Whether a site lies in the last layer of a classifier, from which one token of each example is read."""
    last = max((other.stack == "decoder", other.layer) for other in ctx.info.sites)
    return "classification" in ctx.info.purpose and (site.stack == "decoder", site.layer) == last
