"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685), those of peft, on every linear map of a model's blocks."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from headroom import attention
from headroom.errors import UserError
from headroom.training.fit import reproducible

SCALE = 2  # times the product of the two factors, whatever the rank
NAME = "healing"


@contextmanager
def adapted(model: nn.Module, rank: int, seed: int) -> Iterator[None]:
    """Adapters are all of the model that learns within the block, and are merged at its end.

    Where the block breaks off they are taken out again. The model is then made of the modules that it was made of. The
    weights that adapters are merged into are new tensors, so another model that shares the old ones stays as it is.
    Raises ``UserError`` for a model that has nothing to adapt, or in which two layers have one weight.
    """
    from peft import LoraConfig, LoraModel

    places, asking = linear_maps(model), {weight: weight.requires_grad for weight in model.parameters()}
    config = LoraConfig(
        r=rank,
        lora_alpha=SCALE * rank,
        target_modules=places,
        fan_in_fan_out=isinstance(model.get_submodule(places[0]), Conv1D),
    )
    with reproducible(seed, next(model.parameters()).device), quiet():
        tuner: Any = LoraModel(model, config, NAME)
    try:
        yield
    except BaseException:
        tuner.unload()
        raise
    else:
        for place in places:
            layer: Any = model.get_submodule(place)
            of_its_own(layer.get_base_layer())
        tuner.merge_and_unload()
    finally:
        for weight, asked in asking.items():
            weight.requires_grad_(asked)
        for weight in model.parameters():
            weight.requires_grad_(asking.get(weight, True))


def linear_maps(model: nn.Module) -> list[str]:
    """The paths of all linear maps in the blocks of a model, which attention and MLPs are made of."""
    plan = attention.anatomy(model)
    inside = {id(module) for stack in plan.stacks for block in plan.blocks(stack) for module in block.modules()}
    found = {
        path: module.weight
        for path, module in model.named_modules()
        if id(module) in inside and isinstance(module, nn.Linear | Conv1D)
    }
    if not found:
        raise UserError(
            "adapters: nothing is left in the model's blocks that could be adapted. Let all weights learn: kind full."
        )
    weight, many = Counter(map(id, found.values())).most_common(1)[0]
    if many > 1:
        first, second = [path for path, one in found.items() if id(one) == weight][:2]
        raise UserError(f"adapters: {first} and {second} have one weight. Let all weights learn: kind full.")
    return list(found)


def of_its_own(layer: Any) -> None:
    """The weight of a layer becomes a tensor of its own."""
    layer.weight = nn.Parameter(layer.weight.detach().clone())


@contextmanager
def quiet() -> Iterator[None]:
    """Without advice of the library on settings that are right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
