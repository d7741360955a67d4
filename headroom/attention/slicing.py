"""Cut heads out of the projections of one attention module, or empty it when no head is left."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from headroom.attention.place import Place
from headroom.attention.ragged import set_groups
from headroom.attention.stand_ins import NoAttention, OnlyBias, fresh, put
from headroom.attention.weights import index_of, is_transposed


def slice_site(model: nn.Module, place: Place, keep: tuple[int, ...], groups: tuple[int, ...]) -> None:
    """Leave only these query heads and KV heads (dense numbers) at a site.

    Weights that stay are not copied twice and keep ``requires_grad``; the config is not touched, since head width and
    softmax scale are computed from it when the model is built again.
    """
    home, made, size = place.home, place.made, place.head_size
    device = place.out.weight.device
    mine = index_of([place.heads.index(head) for head in keep], device)
    read = index_of([place.groups.index(group) for group in groups], device)
    for projection in made.projections:
        index = mine if "query" in projection.roles else read
        outer, inner = len(projection.roles), size
        if projection.interleaved:
            outer, inner = 1, size * len(projection.roles)
        _cut_outputs(place.projection(projection.name), index, outer, inner)
    _cut_inputs(place.out, mine, size)
    for name in made.counts:
        setattr(home, name, len(keep))
    for name in made.widths:
        setattr(home, name, len(keep) * size)
    if hasattr(home, "num_key_value_groups"):
        kept = [group for head, group in zip(place.heads, place.reads, strict=True) if head in keep]
        set_groups(model, home, tuple(kept.count(group) for group in groups))


def _select(tensor: Tensor, dim: int, index: Tensor, outer: int, inner: int) -> Tensor:
    """Keep some heads along a dimension laid out as (outer, heads, inner)."""
    unfolded = tensor.detach().unflatten(dim, (outer, -1, inner))
    return unfolded.index_select(dim + 1, index).flatten(dim, dim + 2)


def _cut_outputs(module: Any, index: Tensor, outer: int, inner: int) -> None:
    dim = 1 if is_transposed(module) else 0
    module.weight = fresh(module.weight, _select(module.weight, dim, index, outer, inner))
    if module.bias is not None:
        module.bias = fresh(module.bias, _select(module.bias, 0, index, outer, inner))
    _note_widths(module)


def _cut_inputs(module: Any, index: Tensor, size: int) -> None:
    dim = 0 if is_transposed(module) else 1
    module.weight = fresh(module.weight, _select(module.weight, dim, index, 1, size))
    _note_widths(module)


def _note_widths(module: Any) -> None:
    """The widths that Linear only prints, but Conv1D computes with."""
    if is_transposed(module):
        module.nx, module.nf = module.weight.shape
    else:
        module.out_features, module.in_features = module.weight.shape


def empty_site(place: Place, layer_idx: int | None) -> None:
    """Take out the last heads of a site: the block adds the output bias, and a norm behind it stays.

    This is what gates of zero on all heads give; it is not the removal of the sublayer.
    """
    path, out = place.made.home, place.made.out
    bias = getattr(place.out, "bias", None)
    if out.startswith(f"{path}."):
        put(place.block, path, NoAttention(layer_idx, bias))
    else:
        put(place.block, out, OnlyBias(bias))
        put(place.block, path, NoAttention(layer_idx, shaped=True))
