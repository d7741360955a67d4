"""The weights that belong to a unit: to look at, to count and to know what a removal frees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from headroom.api import Grain, Unit
from headroom.attention.compiled import unwrapped
from headroom.attention.layouts import Projection
from headroom.attention.place import PER_HEAD, Place
from headroom.errors import UnsupportedModel


def is_transposed(module: Any) -> bool:
    """GPT-2's Conv1D keeps its weight as (in, out), and calls its outputs nf."""
    return not isinstance(module, nn.Linear) and hasattr(module, "nf")


def rows(module: Any) -> Tensor:
    """The weight as (out, in), a view."""
    return module.weight.t() if is_transposed(module) else module.weight


def _outputs(module: Any) -> int:
    """The width that a projection makes, also where its weight is packed or in an adapter's base layer."""
    while "base_layer" in module._modules:
        module = unwrapped(module.base_layer)
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.dim() == 2 and weight.is_floating_point():
        return rows(module).shape[0]
    for name in ("out_features", "outfeatures"):  # quantised layers of all makes
        if isinstance(getattr(module, name, None), int):
            return getattr(module, name)
    raise UnsupportedModel(
        f"{type(module).__name__} stands for a projection and does not say how many outputs it has. "
        "Put torch.nn.Linear or transformers' Conv1D in its place."
    )


def head_counts(place: Place) -> tuple[int, int]:
    """Query and KV heads of a dense site, from shapes alone: configs cannot be trusted."""
    counts = {}
    for projection in place.made.projections:
        count = _outputs(place.projection(projection.name)) // (place.head_size * len(projection.roles))
        counts.update(dict.fromkeys(projection.roles, count))
    return counts["query"], counts["key"]


def by_head(tensor: Tensor, projection: Projection, head_size: int) -> Tensor:
    """Unfold the first dimension of a weight or bias to (roles, heads, head width, ...), a view."""
    roles = len(projection.roles)
    if projection.interleaved:
        return tensor.unflatten(0, (-1, roles, head_size)).transpose(0, 1)
    return tensor.unflatten(0, (roles, -1, head_size))


def _positions(place: Place, unit: Unit) -> tuple[list[int], list[int]]:
    """Where the unit's query heads and KV heads lie in the weights as they are now."""
    index = unit.index if unit.grain is Grain.KV_GROUP else place.reads[place.heads.index(unit.index)]
    if unit.grain is Grain.HEAD:
        mine = [place.heads.index(unit.index)]
    else:
        mine = [position for position, group in enumerate(place.reads) if group == unit.index]
    return mine, [place.groups.index(index)]


def shares(place: Place, unit: Unit) -> dict[str, Tensor]:
    """Views of the weights that go with a unit; see ``Anatomy.weights``."""
    if unit.grain not in PER_HEAD:
        return owned(place)
    mine, read = _positions(place, unit)
    found = {}
    for projection in place.made.projections:
        weight = by_head(rows(place.projection(projection.name)), projection, place.head_size)
        for role, heads in zip(projection.roles, weight, strict=True):
            where = mine if role == "query" else read
            found[role] = heads[where[0] : where[-1] + 1].flatten(0, 1)  # heads of a group lie side by side
    out = rows(place.out).unflatten(1, (-1, place.head_size))
    return found | {"out": out[:, mine[0] : mine[-1] + 1].flatten(1)}


def owned(place: Place) -> dict[str, Tensor]:
    """Every parameter that goes with a whole sublayer or block, by its name in the block.

    The T5 table of relative positions is left out: it stays for the other blocks.
    """
    paths = [""] if place.sublayer is None else [path for path, _ in place.part.skip]
    found = {}
    for path in paths:
        for name, parameter in place.module(path).named_parameters(prefix=path):
            if "relative_attention_bias" not in name:
                found[name] = parameter
    return found


def parameters_of(place: Place) -> list[nn.Parameter]:
    """All parameters that attend at a site: projections, biases, and norms of queries and keys."""
    inside = place.made.out.startswith(f"{place.made.home}.")
    return [*place.home.parameters(), *([] if inside else place.out.parameters())]


def freed(place: Place, unit: Unit) -> int:
    """How many numbers go when this one unit goes; see ``Anatomy.parameters``."""
    if unit.grain not in PER_HEAD:
        return total(owned(place).values())
    mine, read = _positions(place, unit)
    if len(mine) == len(place.heads):
        return _all_but_bias(place)
    sole = unit.grain is Grain.KV_GROUP or place.reads.count(place.groups[read[0]]) == 1
    size = place.head_size
    count = rows(place.out).shape[0] * size * len(mine)
    for projection in place.made.projections:
        module = place.projection(projection.name)
        width = size * (rows(module).shape[1] + (module.bias is not None))
        for role in projection.roles:
            count += width * (len(mine) if role == "query" else int(sole))
    return count


def _all_but_bias(place: Place) -> int:
    """With the last head the whole attention goes, but for the output bias, which is still added."""
    found = dict(place.home.named_parameters()) | {f"out.{k}": v for k, v in place.out.named_parameters()}
    kept = getattr(place.out, "bias", None)
    gone = (p for name, p in found.items() if p is not kept and "relative_attention_bias" not in name)
    return total(gone)


def total(parameters: Iterable[Tensor]) -> int:
    """Elements of all parameters, each tensor counted once."""
    return sum(tensor.numel() for tensor in {id(p): p for p in parameters}.values())


def index_of(heads: list[int] | tuple[int, ...], device: torch.device) -> Tensor:
    """Positions as an index tensor, a real one also where the weights are on the meta device."""
    return torch.tensor(heads, dtype=torch.long, device="cpu" if device.type == "meta" else device)


def device_of(module: nn.Module) -> torch.device:
    """Where a module computes, whatever its weights are called; the CPU when it has none."""
    return next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
