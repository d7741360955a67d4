"""Remove units from a model for good: smaller weights, fewer modules, the same outputs as with gates of zero."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, TypeVar

from torch import nn

from headroom.api import Grain, Site, Unit
from headroom.attention.anatomy import Anatomy, anatomy
from headroom.attention.compiled import forget_compiled
from headroom.attention.place import Place
from headroom.attention.plain import of_place, refuse, shared_modules, shared_weights
from headroom.attention.ragged import check_supported
from headroom.attention.slicing import empty_site, slice_site
from headroom.attention.stand_ins import put, stand_in
from headroom.attention.state import Removal, record
from headroom.attention.weights import index_of
from headroom.errors import UserError, suggest

M = TypeVar("M", bound=nn.Module)
Policy = Literal["heads", "even", "groups"]
POLICIES = ("heads", "even", "groups")


def remove(model: nn.Module, units: Iterable[Unit], policy: Policy = "heads") -> None:
    """Remove these units in place; units are always in the numbering of the dense model.

    All heads of a site gone: its output bias is still added and a norm behind it stays, as with gates of zero. An
    attention or MLP unit goes with its norm: the stream passes. A KV head goes with the last query head that reads it.
    ``policy`` refuses plans that leave uneven KV groups: ``even`` wants the same number of query heads in each group
    that is left, ``groups`` wants whole groups only, ``heads`` takes any. The model's weights are new objects
    afterwards: build the optimizer later. Raises ``UserError``, before anything is changed, for a unit that is not
    there, a policy that is not met, a stack that would be left without blocks, heads whose projections are not plain
    (adapters, parametrised, quantised, of another make, shared between layers: see ``plain.troubles``), and modules
    that serve two sites. A compiled model is compiled anew at its next call.
    """
    plan = anatomy(model)
    units = frozenset(units)
    for unit in sorted(units):
        plan.place(unit)
    after = replace(plan.removal, units=plan.removal.units | units, policy=policy)
    _check(plan, after, policy)
    _check_plain(plan, after)
    for place in list(plan.places.values()):
        _apply(model, place, after)
    for stack in plan.stacks:
        if after.blocks(stack) != plan.removal.blocks(stack):
            _drop_blocks(plan, stack, after)
    record(model, after)
    forget_compiled(model)


def twin(model: M) -> M:
    """A model of its own modules and config whose tensors are those of another one: it takes no memory to speak of.

    Removal puts new tensors in the place of those it cuts, so it leaves the other model whole. Training writes into
    tensors: whoever trains or edits takes a real copy, ``copy.deepcopy``.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def without(model: M, units: Iterable[Unit], policy: Policy = "heads") -> M:
    """A twin without these units, see ``remove``: only what is cut takes memory beside the whole model."""
    removed = twin(model)
    remove(removed, units, policy)
    return removed


def _check_plain(plan: Anatomy, after: Removal) -> None:
    """What is cut has to be plain; what goes as a whole has to be there once."""
    refuse(shared_modules(plan.places))
    cut = [place for place in plan.places.values() if _is_cut(place, after)]
    refuse(trouble for place in cut for trouble in of_place(place))
    if cut:
        sites = {place.site for place in cut}
        refuse(trouble for trouble in shared_weights(plan.places) if sites & {trouble.site, trouble.other})


def _check(plan: Anatomy, after: Removal, policy: str) -> None:
    if policy not in POLICIES:
        raise UserError(f"policy is {policy!r}. {suggest(str(policy), POLICIES)}")
    for stack in plan.stacks:
        if not after.blocks(stack):
            raise UserError(f"the plan removes every block of the {stack}; at least one must stay")
    for site in plan.removal.shape.heads:
        if site in plan.places and after.has(Unit(site, Grain.ATTENTION)):
            _check_groups(plan, site, after, policy)


def _check_groups(plan: Anatomy, site: Site, after: Removal, policy: str) -> None:
    shape = after.shape
    reads = [shape.group_of(site, head) for head in after.heads(site)]
    counts = {group: reads.count(group) for group in sorted(set(reads))}
    whole = shape.heads[site] // shape.groups[site]
    even = len(set(counts.values())) <= 1
    if policy == "groups" and any(count != whole for count in counts.values()):
        raise UserError(f"policy 'groups' removes whole KV groups of {whole} heads, but {site} would keep {counts}")
    if policy == "even" and not even:
        raise UserError(f"policy 'even' keeps as many heads in every KV group, but {site} would keep {counts}")
    if not even:
        check_supported(plan.model)


def _apply(model: nn.Module, place: Place, after: Removal) -> None:
    """Bring one sublayer to the state after the removal."""
    if _is_cut(place, after):
        _thin(model, place, after)
    elif _block_stays(place, after) and not _stays(place, after):
        _skip(place)


def _is_cut(place: Place, after: Removal) -> bool:
    """Whether the sublayer stays and loses heads."""
    return _stays(place, after) and bool(place.part.heads) and after.heads(place.site) != place.heads


def _stays(place: Place, after: Removal) -> bool:
    return place.sublayer is not None and after.has(place.sublayer.unit(place.site.stack, place.site.layer))


def _block_stays(place: Place, after: Removal) -> bool:
    return place.sublayer is not None and after.has(
        Unit(Site(place.site.stack, "block", place.site.layer), Grain.BLOCK)
    )


def _slot(place: Place) -> int | None:
    return getattr(place.home, "layer_idx", None) if place.site.kind == "self" else None


def _skip(place: Place) -> None:
    """The stream passes where the sublayer stood."""
    layer_idx = _slot(place) if place.part.heads else None
    for path, kind in place.part.skip:
        if kind.startswith("t5"):
            from headroom.attention import t5

            put(place.block, path, t5.skipped(kind, place.module(path)))
        else:
            put(place.block, path, stand_in(kind, layer_idx))


def _thin(model: nn.Module, place: Place, after: Removal) -> None:
    """Some or all heads go, the sublayer stays."""
    keep = after.heads(place.site)
    is_t5 = any(kind.startswith("t5") for _, kind in place.part.skip)
    if keep:
        slice_site(model, place, keep, after.shape.groups_of(place.site, keep))
    elif not is_t5:
        empty_site(place, _slot(place))
    if is_t5:
        from headroom.attention import t5

        if keep:
            t5.share_sliced_bias(place.home, index_of(keep, place.out.weight.device))
        else:
            t5.empty(place.home)


def _drop_blocks(plan: Anatomy, stack: str, after: Removal) -> None:
    """Take blocks out of their list, then put right what is counted by position: cache slots, config, bias table."""
    present, left = plan.removal.blocks(stack), after.blocks(stack)
    blocks = plan.blocks(stack)
    keep = [block for layer, block in zip(present, blocks, strict=True) if layer in left]
    if plan.family == "t5":
        from headroom.attention import t5

        t5.hand_on_table(blocks[0], keep[0])
    base, path = plan.base, plan.stacks[stack].blocks
    put(base, path, nn.ModuleList(keep))
    for position, block in enumerate(keep):
        module: Any
        for module in block.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = position
    owner = base.get_submodule(path.rpartition(".")[0])
    kept = [position for position, layer in enumerate(present) if layer in left]
    _note_sizes(plan, stack, getattr(owner, "config", plan.config), kept)


def _note_sizes(plan: Anatomy, stack: str, own: Any, kept: list[int]) -> None:
    """Write the number of blocks into the configs; the Llama loop and the cache are as long as they say."""
    shared = plan.config
    for config in {id(config): config for config in (shared, plan.base.config, own)}.values():
        types = getattr(config, "layer_types", None)
        if types is not None:
            config.layer_types = [types[position] for position in kept]
        for key in plan.stacks[stack].sizes:
            setattr(config, key, len(kept))
    if plan.family == "t5":
        # T5's decoder stack reads num_layers of its own copy, and generate makes num_layers cache slots
        own.num_layers = len(kept)
        shared.num_layers = max(len(plan.blocks(name)) for name in plan.stacks)
