"""What a method must leave as it found it: the model, and everything global that chance depends on."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Any

import numpy
import torch
from torch import nn

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


@dataclass(frozen=True, eq=False)
class State:
    """One look at a model and at the process; the names of the fields are the words of the complaint."""

    weights: dict[str, torch.Tensor]
    gradients: list[str]
    what_asks_for_gradients: list[str]
    hooks: dict[str, int]
    training_mode: list[str]
    replaced_methods: list[str]
    attention_implementation: str
    random_state: tuple[Any, ...]
    torch_settings: tuple[Any, ...]

    @classmethod
    def of(cls, model: Any) -> State:
        """The state now. Weights are copied."""
        parameters = list(model.named_parameters())
        return cls(
            weights={name: tensor.clone() for name, tensor in model.state_dict().items()},
            gradients=[name for name, parameter in parameters if parameter.grad is not None],
            what_asks_for_gradients=[name for name, parameter in parameters if parameter.requires_grad],
            hooks=hooks(model),
            training_mode=[name for name, module in model.named_modules() if module.training],
            replaced_methods=[name for name, module in model.named_modules() if "forward" in vars(module)],
            attention_implementation=str(model.config._attn_implementation),
            random_state=(torch.get_rng_state().tolist(), random.getstate(), str(numpy.random.get_state(legacy=False))),
            torch_settings=(
                torch.is_grad_enabled(),
                torch.get_default_dtype(),
                torch.get_num_threads(),
                torch.are_deterministic_algorithms_enabled(),
            ),
        )

    def differs_from(self, other: State) -> list[str]:
        """What is not the same, in words; empty when everything is."""
        return [field.name.replace("_", " ") for field in fields(self) if not same(self, other, field.name)]


def same(one: State, other: State, name: str) -> bool:
    if name != "weights":
        return bool(getattr(one, name) == getattr(other, name))
    ours, theirs = one.weights, other.weights
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def hooks(model: nn.Module) -> dict[str, int]:
    """How many hooks each module has, where there are any."""
    counts = {name: sum(len(getattr(module, kind)) for kind in HOOKS) for name, module in model.named_modules()}
    return {name: count for name, count in counts.items() if count}
