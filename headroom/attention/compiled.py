"""Compiled models: they run as they are written while hooks should act, and forget what they compiled after a removal.

A compiled forward does not look whether hooks have come or gone since. Whether a model, a part of it or a function
around it was compiled cannot be seen from the model alone, so torch is told to run everything eagerly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import nn

from headroom.errors import UserError

_WRAPPED = "_orig_mod"  # the name of the module inside what torch.compile(module) returns


class _Eager:
    """How many blocks want torch to be eager: they need not end in the order in which they began."""

    def __init__(self) -> None:
        self._lock, self._wanted = Lock(), 0
        self._stance: Any = None

    def begin(self) -> None:
        with self._lock:
            if not self._wanted:
                self._stance = _stance()
            self._wanted += 1

    def end(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                self._stance.__exit__(None, None, None)


_EAGER = _Eager()


def _stance() -> Any:
    words = "hooks cannot be set inside a function that torch.compile runs. Take the with block out of it."
    if torch.compiler.is_dynamo_compiling():
        raise UserError(words)
    try:
        return torch.compiler.set_stance("force_eager")
    except RuntimeError as error:
        raise UserError(words) from error


@contextmanager
def eager() -> Iterator[None]:
    """Everything that torch.compile made runs uncompiled inside the ``with`` block, and compiled again after it.

    That holds for ``model.compile()``, parts of a model, ``torch.compile(model)`` around it, and compiled functions
    that call it. It does not for TorchScript and exported programs, which hold no modules any more.
    """
    _EAGER.begin()
    try:
        yield
    finally:
        _EAGER.end()


def unwrapped(module: Any) -> Any:
    """The module itself where ``torch.compile(module)`` stands in its place."""
    while _WRAPPED in module._modules:
        module = getattr(module, _WRAPPED)
    return module


def plain_name(name: str) -> str:
    """The name of a weight as it is without ``torch.compile`` around a part of the model."""
    return ".".join(part for part in name.split(".") if part != _WRAPPED)


def forget_compiled(model: nn.Module) -> None:
    """After a change: compile anew at the next call, where anything of this model was compiled.

    Guards notice most changes, but users may have told torch to leave them out. The cache is one for all models.
    """
    if any(_is_compiled(module) for module in model.modules()):
        torch.compiler.reset()
    model.__dict__.pop("_compiled_call", None)  # what generate keeps


def _is_compiled(module: nn.Module) -> bool:
    own = module.__dict__
    calls = (own.get("_compiled_call_impl"), own.get("forward"), own.get("_compiled_call"))
    return _WRAPPED in module._modules or any(hasattr(call, "_torchdynamo_orig_callable") for call in calls)
