"""What a call costs in principle: multiply-accumulates, bytes that have to be read, and memory that it takes.

The one counter behind every ideal. Multiply-accumulates are torch's own formulas (``torch.utils.flop_counter``), half a
floating-point operation each; causal masks are not subtracted, as in the kernels' formulas. Bytes are those of weights,
each time that a matrix product reads one; rows of token and position tables are few and left out, keys and values in a
cache are added by ``work``. Activations are left out of the bytes: they are what a good kernel keeps in cache.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from headroom.attention.counting import FORMULAS


@dataclass(frozen=True)
class Cost:
    """The cost of one call, whatever machine runs it."""

    macs: int  # multiply-accumulates of matrix products, convolutions and attention
    bytes: int  # weights that matrix products read, each as often as it is read; with the cache where there is one
    memory: int  # largest sum of bytes of the tensors alive at once that the call made or found, without weights


def cost(call: Callable[[], Any], model: nn.Module) -> Cost:
    """Run a call once and count it, on any device. Weights are the parameters of ``model``."""
    counter = Counter(model)
    with torch.inference_mode(), counter:
        call()
    return Cost(counter.flops // 2, counter.read, counter.most)


class Counter(TorchDispatchMode):
    """Sees every operation below the composite ones."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.flops = self.read = self.most = self._alive = 0
        self._weights = {_memory(parameter) for parameter in model.parameters()}
        self._seen = self._weights | {_memory(buffer) for buffer in model.buffers()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = FORMULAS.get(func._overloadpacket)
        if formula is None:
            with self:
                whole = func.decompose(*args, **kwargs)
            if whole is not NotImplemented:
                return whole
        for tensor in _tensors(args):
            self._note(tensor)  # such as a cache that was there before
        out = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
            self.read += sum(one.nbytes for one in _tensors(args) if _memory(one) in self._weights)
        for tensor in _tensors(out):
            self._note(tensor)
        return out

    def _note(self, tensor: Tensor) -> None:
        """A new piece of memory; views of known ones are not new."""
        key, storage = _memory(tensor), tensor.untyped_storage()
        if key in self._seen:
            return
        self._seen.add(key)
        self._alive += storage.nbytes()
        self.most = max(self.most, self._alive)
        weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._alive -= size


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
