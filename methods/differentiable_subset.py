"""Train a soft subset of exactly k heads together with the weights, ever harder (Li, Cotterell and Sachan, 2021).

    r_1 = w + Gumbel noise,    p_j = softmax(r_j / T),    r_j+1 = r_j + log(1 - p_j),    gates = sum_j=1..k p_j

The gates add up to k at every temperature T and turn into a drawn subset of k heads as T falls; the k heads with the
highest w stay. k is part of what is trained, so every target is a training of its own, as in the paper. ``share`` of
the update steps goes into it and the rest fine-tunes the model without the heads, so a target costs no more steps than
it costs any other method. ``straight-through`` has no noise and no T: gates of 0 and 1, gradients as if they were w.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import torch
from torch import Tensor, nn

from headroom.api import Context, Grain, Method, Plan, Site, Track, Unit

TINY = torch.finfo(torch.float64).tiny


def soft_top_k(scores: Tensor, k: int, temperature: float) -> Tensor:
    """Gates of k units of those with the highest scores, relaxed, (units,); they add up to k."""
    gates = torch.zeros_like(scores)
    for _ in range(k):
        chosen = torch.softmax(scores / temperature, 0)
        scores = scores + (1 - chosen).clamp_min(TINY).log()
        gates = gates + chosen
    return gates


def hard_top_k(scores: Tensor, k: int) -> Tensor:
    """1 for the k highest scores and 0 for the others, with the gradient of the scores themselves."""
    hard = torch.zeros_like(scores).index_fill(0, scores.topk(k).indices, 1)
    return hard + (scores - scores.detach())  # in brackets, so that the values are exactly 0 and 1


def gumbel(units: int, generator: torch.Generator) -> Tensor:
    """Noise that makes the order of scores a draw in proportion to their exponentials."""
    u = torch.rand(units, generator=generator, dtype=torch.float64).clamp_min(TINY)
    return -(-u.log()).log()


class DifferentiableSubset(Method):
    name = "differentiable-subset"
    title = "Differentiable subset"
    paper = "arXiv:2108.04657"
    track = Track.TRAINED

    @dataclass(frozen=True)
    class Params:
        estimator: Literal["gumbel", "straight-through"] = "gumbel"
        gate_learning_rate: float = 0.5  # the authors' for BERT; 0.2 for translation
        initial_temperature: float = (
            1000.0  # the authors' for BERT; 0.1 for translation, which learns less in few steps
        )
        final_temperature: float = 0.01  # as good as hard; the authors' 1e-8 has no gradient on most of the way
        cooldown: int = 100  # update steps until the final temperature; the authors' 15k to 25k of them
        share: float = 0.5

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def expected_failures(self) -> dict[str, str]:
        why = "Nothing pushes a dead head out: others have to overtake it, and the check's thirty update steps are few."
        return {"check_the_dead_go_before_the_vital": why}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        for target in targets:
            yield self.subset(ctx, target)

    def subset(self, ctx: Context, target: float) -> Plan:
        """The plan of one target, with the weights of its own training."""
        ctx.rng.manual_seed(ctx.seed)  # the same draws for every target, whichever others are asked for
        where = {unit: at for at, unit in enumerate(ctx.units)}
        w, k, current = self.start(ctx), len(ctx.units) - ctx.units.count(target), dict[Site, Tensor]()
        temperatures = self.cooling()

        def objective(batch: dict[str, Tensor]) -> Tensor:
            gates = self.drawn(ctx, w, k, next(temperatures))
            device = next(ctx.model.parameters()).device  # training may have moved the model
            for site, units in ctx.units.sites.items():
                current[site] = gates[[where[unit] for unit in units]].to(device)
            return ctx.loss(batch) / len(batch["labels"])

        with (
            ctx.gates(values=current.__getitem__),
            ctx.trained(objective, self.params.share, [w], self.params.gate_learning_rate) as weights,
        ):
            if next(temperatures) > self.params.final_temperature:
                ctx.say("the training ended before the temperature was down: lower cooldown")
            return Plan(target, highest_stay(ctx, w, k), weights)

    def start(self, ctx: Context) -> nn.Parameter:
        """Glorot's uniform numbers for a matrix of sites and heads, as in the released code."""
        sites = len(ctx.units.sites)
        bound = (6 / (sites + len(ctx.units) / sites)) ** 0.5
        return nn.Parameter(bound * (2 * torch.rand(len(ctx.units), generator=ctx.rng, dtype=torch.float64) - 1))

    def cooling(self) -> Iterator[float]:
        """The temperature of each update step: down in a line on the scale of logarithms, then constant."""
        first, last = log(self.params.initial_temperature), log(self.params.final_temperature)
        for step in range(self.params.cooldown):
            yield exp(first + step / self.params.cooldown * (last - first))
        while True:
            yield self.params.final_temperature

    def drawn(self, ctx: Context, w: Tensor, k: int, temperature: float) -> Tensor:
        if self.params.estimator == "straight-through":
            return hard_top_k(w, k)
        return soft_top_k(w + gumbel(len(w), ctx.rng), k, temperature)


def highest_stay(ctx: Context, w: Tensor, k: int) -> frozenset[Unit]:
    """All units but the k with the highest w; of equal ones the first go."""
    order = sorted(zip(w.tolist(), ctx.units, strict=True))
    return frozenset(unit for _, unit in order[: len(order) - k])
