"""Make units of a model dead, vital, or exact copies of each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from headroom.api import Unit
from headroom.attention import anatomy
from headroom.attention.place import PER_HEAD

Way = Literal["all", "out", "value"]  # what of a dead head is zero: everything, its output columns, or its values

LOUDER = 5.0  # factor on what a vital unit writes into the stream
SHARPER = 2.0  # factor on its queries and on its keys, so that it looks confident as well


@torch.no_grad()
def plant(
    model: Any,
    dead: Iterable[Unit] = (),
    vital: Iterable[Unit] = (),
    twins: Iterable[tuple[Unit, Unit]] = (),
    way: Way = "all",
) -> None:
    """Plant in place. The second of two twins becomes the copy of the first, and both are as loud as a vital unit.

    Silencing a dead unit changes the logits by rounding at most; silencing a vital one changes them a lot. A whole
    sublayer of a model with norms behind it is dead when its norm changes nothing, so such norms become plain.
    Raises ``UserError`` for a unit that is not there.
    """
    plan = anatomy(model)
    _plain_norms(model)
    _no_biases_in_heads(plan)
    for unit in dead:
        _silence(plan.weights(unit), way) if unit.grain in PER_HEAD else _erase(plan, unit)
    for unit in vital:
        _amplify(plan, unit)
    for first, second in twins:
        _amplify(plan, first)
        source = plan.weights(first)
        for role, weight in plan.weights(second).items():
            weight.copy_(source[role])


def _plain_norms(model: nn.Module) -> None:
    """A LayerNorm of a LayerNorm is the same LayerNorm only without scale and shift."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
            module.bias.zero_()


def _no_biases_in_heads(plan: Any) -> None:
    """Biases would keep zero values and keys alive, and T5's table of positions tells equal heads apart."""
    for place in plan.places.values():
        if place.sublayer is None or place.sublayer.heads is None:
            continue
        for projection in place.made.projections:
            _zero(getattr(getattr(place.home, projection.name), "bias", None))
        _zero(getattr(getattr(place.home, "relative_attention_bias", None), "weight", None))


def _zero(parameter: Tensor | None) -> None:
    if parameter is not None:
        parameter.zero_()


def _silence(weights: dict[str, Tensor], way: Way) -> None:
    """A dead head: ``all`` attends to everything alike, carries nothing and writes nothing."""
    roles = {"all": ("query", "key", "value", "out"), "out": ("out",), "value": ("value",)}[way]
    for role in roles:
        weights[role].zero_()


def _erase(plan: Any, unit: Unit) -> None:
    """A dead sublayer or block: every weight but those of norms, which are plain by now."""
    for name, parameter in plan.weights(unit).items():
        if not any(part in name.lower() for part in ("norm", "ln_")):
            parameter.zero_()


def _amplify(plan: Any, unit: Unit) -> None:
    """A vital unit: a head attends sharply and writes loudly; so do all heads of a sublayer; an MLP writes loudly."""
    if unit.grain in PER_HEAD:
        weights = plan.weights(unit)
        for role, factor in (("query", SHARPER), ("key", SHARPER), ("out", LOUDER)):
            weights[role].mul_(factor)
        return
    for name, parameter in plan.weights(unit).items():
        if parameter.dim() > 1:
            parameter.mul_(LOUDER**0.5)
        elif "norm" in name and ("post_feedforward" in name or "post_attention" in name):
            parameter.add_(LOUDER - 1)  # four norms: only the one behind the body sets how loud it is
