"""What is watched while a method answers: it leaves everything as it was, and evaluation data are under a trap.

A method gets calibration examples from its context and nothing else. The trap closes the other ways: data files on
disk, the pipeline's own readers, and the data sets of the Hub.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

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
READERS = ("headroom.data.loading.read_split", "headroom.pipeline.bench.read_split", "datasets.load_dataset")
SUFFIXES = (".parquet", ".arrow", ".jsonl", ".csv", ".tsv", ".npz", ".npy", ".txt")

_watching: list[bool] = []  # an audit hook stays for the life of the process: this says when it has a say
_installed: list[bool] = []


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


class Touched(Exception):
    """Something reached for evaluation data."""


@contextmanager
def trapped() -> Iterator[None]:
    """Inside the block, opening a data file or calling a reader raises ``Touched``."""
    if not _installed:
        sys.addaudithook(_refuse)
        _installed.append(True)
    with ExitStack() as stack:
        for reader in READERS:
            stack.enter_context(patch(reader, _snap(reader)))
        _watching.append(True)
        stack.callback(_watching.clear)
        yield


def _snap(reader: str) -> Any:
    def touched(*_: object, **__: object) -> None:
        raise Touched(f"the method called {reader}: calibration examples come from ctx.calibration")

    return touched


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    path = Path(os.fsdecode(arguments[0]))
    if path.suffix in SUFFIXES and "site-packages" not in path.parts:
        raise Touched(f"the method opened {path.name}: calibration examples come from ctx.calibration")
