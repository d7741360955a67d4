"""Train a gate on every head together with the weights, and pay for gates that may be open (Voita et al., 2019).

    g = clip(s (zeta - gamma) + gamma, 0, 1)        s = sigmoid((log u - log(1 - u) + log_a) / beta),  u uniform
    P(g != 0) = sigmoid(log_a - beta log(-gamma / zeta))
    L = L_task + lambda sum_h P(g_h != 0)           (section 4; hard concrete gates of Louizos et al., 2018)

One draw per head and forward pass, shared by batch and time. A head stays if an open gate is likelier than a shut one,
which is log_a > 0. How much goes is an outcome of lambda: each lambda is one training from the converged model and one
point of its own, with the point before binarising beside it. ``points="topk"`` is another method: one training, then
the heads with the lowest log_a go until each target is met.

Where an encoder-decoder may lose heads of its encoder alone, the decoder is frozen, as in the released code.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from headroom.api import Context, Grain, Method, Plan, Site, Track, Unit

BETA, GAMMA, ZETA, EPSILON = 0.33, -0.1, 1.1, 1e-6

LogA = dict[Site, nn.Parameter]  # one value per unit of the site


def drawn(log_a: Tensor, u: Tensor) -> Tensor:
    """A gate while training, for ``u`` uniform between 0 and 1."""
    s = torch.sigmoid((u.log() - (1 - u).log() + log_a) / BETA)
    return (s * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def settled(log_a: Tensor) -> Tensor:
    """The gate of the released code at test time: no noise and no temperature; 0 or 1 beyond |log_a| = 2.398."""
    return (torch.sigmoid(log_a) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def chance_open(log_a: Tensor) -> Tensor:
    """P(g != 0)."""
    return torch.sigmoid(log_a - BETA * log(-GAMMA / ZETA))


class VoitaL0(Method):
    name = "voita-l0"
    title = "Voita et al., L0"
    paper = "arXiv:1905.09418"
    track = Track.TRAINED

    @dataclass(frozen=True)
    class Params:
        points: Literal["lambda", "topk"] = "lambda"
        lambdas: tuple[float, ...] = (
            0.001,
            0.002,
            0.005,
            0.01,
            0.02,
            0.05,
            0.1,
            0.2,
        )  # "set per experiment", as theirs
        topk_lambda: float = 0.01
        share: float = 1.0  # of the update steps; what is left repairs the model without its heads
        scale: Literal["paper", "code"] = "paper"  # code: mean over modules, so lambda_paper = lambda_code / modules
        init: Literal["open", "glorot"] = "open"  # glorot is the released code's: it halves the model, then heals it
        gate_learning_rate: float = 0.1  # rycolab's port; the authors' is the weights' own, over many more steps

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.natural = self.params.points == "lambda"

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        if self.params.points == "topk":
            with self.trained(ctx, self.params.topk_lambda) as (log_a, weights):
                order = ctx.units.order(log_a)
                yield from (Plan(target, ctx.units.first(order, target), weights) for target in targets)
            return
        for weight in self.params.lambdas:
            with self.trained(ctx, weight) as (log_a, weights):
                yield from binarised(ctx, log_a, weights, f"lambda={weight:g}")
        yield Plan(1.0, frozenset(ctx.units), natural="floor")

    @contextmanager
    def trained(self, ctx: Context, weight: float) -> Iterator[tuple[LogA, Path]]:
        """Gates and weights after one training from the dense model."""
        ctx.rng.manual_seed(ctx.seed)  # the same draws for every lambda, whichever others are in the list
        log_a = {site: self.start(ctx, len(units)) for site, units in ctx.units.sites.items()}

        def gates(site: Site) -> Tensor:
            u = EPSILON + (1 - 2 * EPSILON) * torch.rand(log_a[site].shape, generator=ctx.rng)
            return drawn(log_a[site], u).to(place(ctx))

        def objective(batch: dict[str, Tensor]) -> Tensor:
            return ctx.loss(batch) / len(batch["labels"]) + weight * self.penalty(log_a)

        with ctx.edited(), ctx.gates(values=gates):
            freeze_decoder(ctx.model, log_a)
            with ctx.trained(objective, self.params.share, log_a.values(), self.params.gate_learning_rate) as weights:
                yield log_a, weights

    def start(self, ctx: Context, units: int) -> nn.Parameter:
        if self.params.init == "open":
            return nn.Parameter(torch.full((units,), 2.5))
        bound = (3 / units) ** 0.5  # Glorot with fan in and fan out of the number of heads
        return nn.Parameter(bound * (2 * torch.rand(units, generator=ctx.rng) - 1))

    def penalty(self, log_a: LogA) -> Tensor:
        chances = [chance_open(a) for a in log_a.values()]
        if self.params.scale == "paper":
            return torch.stack([chance.sum() for chance in chances]).sum()
        return torch.stack([chance.clamp(EPSILON, 1 - EPSILON).sum() for chance in chances]).mean()


def freeze_decoder(model: Any, gated: Iterable[Site]) -> None:
    """Where only heads of the encoder are gated: the decoder, what it writes with, and embeddings that both share."""
    if model.config.is_encoder_decoder and all(site.stack == "encoder" for site in gated):
        model.get_decoder().requires_grad_(False)
        model.get_output_embeddings().requires_grad_(False)


def binarised(ctx: Context, log_a: LogA, weights: Path, name: str) -> Iterator[Plan]:
    """The point of one training, and outside the series what the model was worth before its gates were 0 or 1."""
    gate = by_unit(ctx, log_a, settled)
    share = sum(0.05 < value < 0.95 for value in gate.values()) / len(gate)
    drop = frozenset(unit for unit, value in by_unit(ctx, log_a).items() if value <= 0)
    note = f"{share:.0%} of the gates were undecided, strictly between 0.05 and 0.95"
    ctx.say(f"{name}: {len(drop)} of {len(gate)} heads go; {note}")
    yield Plan(len(drop) / len(ctx.units), drop, weights, note, natural=name)
    with ctx.edited():
        for unit, value in gate.items():
            ctx.weights(unit)["out"].mul_(value)
        shut = frozenset(unit for unit, value in gate.items() if value == 0)
        yield Plan(len(shut) / len(ctx.units), shut, ctx.keep(), note, label=f"soft:{name}")


def by_unit(ctx: Context, log_a: LogA, of: Callable[[Tensor], Tensor] = lambda log_a: log_a) -> dict[Unit, float]:
    """A function of log_a, unit by unit."""
    sites = ctx.units.sites
    return {unit: value for site, a in log_a.items() for unit, value in zip(sites[site], of(a).tolist(), strict=True)}


def place(ctx: Context) -> torch.device:
    """Where the model is now: training may move it."""
    return next(ctx.model.parameters()).device
