"""A pretended card: tensors that compute on the CPU, say that they are elsewhere, and refuse to mix with the CPU's.

What runs on it makes every tensor where it is needed and moves what it hands out, so it runs on a GPU, which a test
cannot count on. Only kernels, memory and speed of a real one are not seen here: see the tests marked `gpu`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from headroom.attention import gates, plain, ragged, removal, slicing, weights

CARD = torch.device("meta")  # a device that every build of torch knows and that nothing here uses otherwise
ACROSS = ("aten::_to_copy", "aten::copy_")  # operations whose tensors may be in two places


class Held(torch.Tensor):
    """A tensor on the card; its values lie in a tensor of the CPU."""

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> Held:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            value.size(),
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            layout=value.layout,
            device=CARD,
        )
        made.value = value
        return made

    def __repr__(self) -> str:
        return f"on the card: {self.value!r}"

    def tolist(self) -> Any:
        return self.value.tolist()

    def new_tensor(self, data: Any) -> torch.Tensor:
        return made(data, dtype=self.dtype, device=CARD)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class Card(TorchDispatchMode):
    """Inside the block there is a card, also for tensors that are made on it from nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation done on the CPU, its results where it would have put them. Raises ``RuntimeError`` as torch does."""
    name = func._schema.name
    leaves, _ = tree_flatten((args, kwargs))
    held = [leaf for leaf in leaves if isinstance(leaf, Held)]
    beside = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and not isinstance(leaf, Held) and leaf.dim()]
    if held and beside and name not in ACROSS:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device")
    there = isinstance(args[0], Held) if name == "aten::copy_" else bool(held)
    if kwargs.get("device") is not None:
        there = torch.device(kwargs["device"]).type == CARD.type
        kwargs = kwargs | {"device": torch.device("cpu")}
    leaves, shape = tree_flatten((args, kwargs))
    args, kwargs = tree_unflatten([leaf.value if isinstance(leaf, Held) else leaf for leaf in leaves], shape)
    known = {id(one.value): one for one in held}  # what is written in place is the same tensor afterwards

    def placed(found: Any) -> Any:
        if not isinstance(found, torch.Tensor) or not (there or id(found) in known):
            return found
        return known[id(found)] if id(found) in known else Held(found)

    return tree_map(placed, func(*args, **kwargs))


TENSOR, ADAMW = torch.tensor, torch.optim.AdamW


def made(data: Any, device: Any = None, **how: Any) -> torch.Tensor:
    """In place of ``tensor``, which moves what it makes unseen."""
    found = TENSOR(data, **how)
    return found if device is None else found.to(device)


def as_no_grad(mode: bool = True) -> Any:
    """In place of ``inference_mode``, of which tensors that wrap others can be no part."""
    return torch.no_grad() if mode else torch.enable_grad()


def in_steps(*groups: Any, fused: bool = False, **how: Any) -> torch.optim.Optimizer:
    """In place of ``AdamW``, whose fused kernel asks for a device that it knows."""
    return ADAMW(*groups, **how)


def in_full(*device: Any, **how: Any) -> AbstractContextManager[None]:
    """In place of ``autocast``, which asks for a device that it knows, also where it is told to do nothing."""
    assert not how.get("enabled", True)
    return nullcontext()


def places_of(heads: Any, device: torch.device) -> torch.Tensor:
    """In place of ``index_of``, which takes this device for the one without numbers that it is elsewhere."""
    return made(heads, dtype=torch.long, device=device)


REPLACED = (
    *(
        (module, "index_of", places_of)
        for module in (gates, ragged, removal, slicing, weights)
        if hasattr(module, "index_of")
    ),
    (torch, "tensor", made),
    (torch, "inference_mode", as_no_grad),
    (torch, "autocast", in_full),
    (torch.optim, "AdamW", in_steps),
)


@contextmanager
def card() -> Iterator[torch.device]:
    """A machine with a card. Modules that are moved get new parameters, since these are of another class."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with ExitStack() as stack:
            stack.enter_context(patch.object(plain, "NUMBERS", (*plain.NUMBERS, Held)))
            for place, name, other in REPLACED:
                stack.enter_context(patch.object(place, name, other))
            stack.enter_context(Card())
            yield CARD
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
