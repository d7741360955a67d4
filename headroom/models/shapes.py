"""Models of a real shape with random weights, and plans that take the same share from every layer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from headroom.api import Grain, Site, Unit
from headroom.attention import anatomy, remove
from headroom.errors import UserError
from headroom.models.configs import CLASSES as PURPOSES
from headroom.models.configs import config_of

CLASSES = PURPOSES | {"stack": "AutoModel"}
DRAWN = 2**20  # random numbers that are drawn; larger weights repeat them
SCALE = 0.02


def built(source: dict[str, Any]) -> Any:
    """A model in eval mode; ``source`` holds ``config``, ``purpose``, ``dtype``, ``device`` and ``units`` to remove."""
    model = dense(source["config"], source["purpose"], source["dtype"], source["device"])
    remove(model, [Unit.parse(text) for text in source["units"]])
    return model


def dense(config: dict[str, Any], purpose: str, dtype: str, device: str) -> Any:
    """The whole model. Raises ``UserError`` for a family or key that does not exist."""
    import torch
    import transformers
    from transformers.initialization import no_init_weights

    with torch.device(device), no_init_weights():
        known = config_of(config, "shapes: config")
        model = getattr(transformers, CLASSES[purpose]).from_config(known, dtype=getattr(torch, dtype))
    model.tie_weights()
    fill(model)
    return model.eval()


def fill(model: Any) -> None:
    """Small normal numbers in matrices, ones in scales, zeros in biases: nothing that overflows or is denormal."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
                continue
            drawn = torch.randn(DRAWN, generator=torch.Generator().manual_seed(0)) * SCALE
            drawn = drawn.to(parameter.device, parameter.dtype)
            for piece in parameter.view(-1).split(DRAWN):
                piece.copy_(drawn[: piece.numel()])


def plan(model: Any, grain: Grain, target: float) -> list[Unit]:
    """Units to remove: of heads and KV groups the same number from every site, of whole layers every so many-th.

    Which heads go is drawn at random, another draw for each site, as a method's plan would look to the hardware.
    Raises ``UserError`` for a grain that the model does not have.
    """
    plan_of = anatomy(model)
    if grain not in plan_of.info.grains:
        raise UserError(f"shapes: {plan_of.family} models of this config have no unit of grain {grain}.")
    drop: list[Unit] = []
    for units in grouped(plan_of.units((grain,)), grain):
        count = round(target * len(units))
        places = drawn(units[0].site, len(units), count) if fine(grain) else spread(len(units), count)
        drop += [units[place] for place in places]
    return drop


def fine(grain: Grain) -> bool:
    return grain in (Grain.HEAD, Grain.KV_GROUP)


def grouped(units: Iterable[Unit], grain: Grain) -> Iterator[list[Unit]]:
    """Units of one site for heads, of one stack and kind for whole layers."""
    key = (lambda unit: unit.site.place) if fine(grain) else (lambda unit: (unit.site.stack, unit.site.kind))
    for _, members in groupby(sorted(units, key=lambda unit: (key(unit), unit.place)), key):
        yield list(members)


def drawn(site: Site, units: int, count: int) -> list[int]:
    """Places of some units of a site, drawn at random."""
    return sorted(random.Random(str(site)).sample(range(units), count))


def spread(units: int, count: int) -> list[int]:
    """Places of some layers, spread evenly."""
    return [int((place + 0.5) * units / count) for place in range(count)]
