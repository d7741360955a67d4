"""Whether the weights of a model's sites are plain: what a layer computes is what its weight says, and is its own.

Adapters, parametrisations, quantised and offloaded layers compute with something else than ``weight``; layers that
share weights lose them together. Gates and masks do not mind, for they act on what modules are given and hand on.
Reading, counting and cutting weights do, and ask here before they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from headroom.api import Site
from headroom.attention.place import Place
from headroom.errors import UserError

Words = tuple[str, str]  # what a module is, and what to do about it
PLAIN = "torch.nn.Linear or transformers' Conv1D"
NUMBERS: tuple[type, ...] = (nn.Parameter,)  # classes of a weight that is nothing but its numbers


@dataclass(frozen=True)
class Trouble:
    """One module whose weights cannot be taken for what they say."""

    site: Site
    path: str  # of the module in its block
    what: str
    next_step: str
    other: Site | None = None  # that has a part in it

    def __str__(self) -> str:
        return f"{self.site}: {self.path or 'its block'} {self.what}. {self.next_step}."


def troubles(model: nn.Module) -> list[str]:
    """Why weights of this model cannot be removed, read or counted: one sentence per module; mostly there are none.

    Compiled models have no trouble. A model that is not supported at all has its one sentence here too.
    """
    from headroom.attention.anatomy import anatomy  # which asks here as well

    try:
        places = anatomy(model).places
    except UserError as error:
        return [str(error)]
    single = [trouble for place in places.values() for trouble in of_place(place)]
    return [str(trouble) for trouble in (*single, *(shared_modules(places) or shared_weights(places)))]


def refuse(found: Iterable[Trouble]) -> None:
    """Raise ``UserError`` with the first of these troubles, if there is one."""
    found = list(found)
    if found:
        more = f" {len(found) - 1} more are told by headroom.attention.troubles(model)." if found[1:] else ""
        raise UserError(f"{found[0]}{more}")


def of_place(place: Place) -> list[Trouble]:
    """The troubles of single modules at a place; of an adapter, not also those of its parts."""
    found: list[Trouble] = []
    if place.sublayer is None:
        return found
    for path, module in (("", place.block), *place.inside()):
        if not any(trouble.path and path.startswith(f"{trouble.path}.") for trouble in found):
            answers = (check(module) for check in _checks(place, path))
            if words := next(filter(None, answers), None):
                found.append(Trouble(place.site, path, *words))
    return found


def shared_modules(places: Mapping[Site, Place]) -> list[Trouble]:
    """Modules that serve two sites: what is done at one would be done at the other."""
    found, seen = [], dict[int, Site]()
    for site, place in places.items():
        if place.sublayer is not None:
            path = place.made.out if place.heads else place.sublayer.end
            other = seen.setdefault(id(place.module(path)), site)
            if other is not site:
                what = f"is the very module that serves {other}, so that what is done at one is done at both"
                found.append(Trouble(site, path, what, "Give each layer a copy: copy.deepcopy(block)", other))
    return found


def shared_weights(places: Mapping[Site, Place]) -> list[Trouble]:
    """Weights of which another layer has a part: cut or counted at one, they stay at the other."""
    found, seen = [], dict[Any, Place]()
    for site, place in places.items():
        for path, name, weight in _weights(place):
            first = seen.setdefault(_where(weight), place)
            if first.block is not place.block:
                what = f"shares its {name} with {first.site}, where it stays when it goes here"
                mend = f"Give it a copy first: module.{name} = torch.nn.Parameter(module.{name}.detach().clone())"
                found.append(Trouble(site, path, what, mend, first.site))
    return found


def _weights(place: Place) -> Iterator[tuple[str, str, Tensor]]:
    for path, module in place.inside() if place.sublayer is not None else ():
        for name, weight in module._parameters.items():
            if weight is not None:
                yield path, name, weight


def _where(weight: Tensor) -> Any:
    """What two tensors have in common that lie in one place; those without memory are known by themselves."""
    try:
        address = weight.data_ptr()
    except RuntimeError:  # a wrapper around several tensors
        address = 0
    return (weight.device, address) if address and weight.numel() else id(weight)


def _checks(place: Place, path: str) -> Iterator[Callable[[Any], Words | None]]:
    yield from (_adapter, _parametrised, _recomputed, _offloaded, _quantised, _no_tensor)
    if place.heads:
        if path in place.projections:
            yield _no_projection
        if path == place.made.home:
            yield _no_attention


def quantised(model: nn.Module) -> str | None:
    """A sentence on the first module, wherever in the model, whose weights are quantised; None when there is none."""
    for path, module in model.named_modules():
        if words := _quantised(module):
            return f"{path} {words[0]}. {words[1]}."
    return None


def _adapter(module: Any) -> Words | None:
    if "base_layer" not in module._modules:
        return None
    base = type(module._modules["base_layer"]).__name__
    return (
        f"is {_a(module)} around {_article(base)} {base}: an adapter, whose weights are apart from those it adds to",
        "Merge the adapter first: model.merge_and_unload()",
    )


def _parametrised(module: Any) -> Words | None:
    if not parametrize.is_parametrized(module):
        return None
    name, makers = next(iter(module.parametrizations.items()))
    made = " and ".join(type(maker).__name__ for maker in makers)
    return (
        f"is a {type(module).__name__}, whose {name} is computed by {made} at every pass",
        f"Fix it first: torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})",
    )


def _recomputed(module: Any) -> Words | None:
    """What torch.nn.utils.prune, weight_norm and spectral_norm leave behind."""
    mends = (("_orig", "prune.remove(module, {!r})"), ("_g", "remove_weight_norm(module, {!r})"))
    for own in module._parameters:
        for ending, mend in mends:
            name = own.removesuffix(ending)
            if own.endswith(ending) and isinstance(module.__dict__.get(name), Tensor):
                mend = "remove_spectral_norm(module, {!r})" if f"{name}_u" in module._buffers else mend
                return (
                    f"is {_a(module)}, whose {name} is computed from {own} at every pass",
                    f"Fix it first: torch.nn.utils.{mend.format(name)}",
                )
    return None


def _offloaded(module: Any) -> Words | None:
    hook = getattr(module, "_hf_hook", None)
    hooks = getattr(hook, "hooks", (hook,))  # accelerate can hang several on one module
    if not any(getattr(one, "offload", False) for one in hooks):
        return None
    return (
        f"is {_a(module)}, whose weights accelerate keeps elsewhere and fetches at every pass",
        "Load the model without device_map and offload",
    )


def _quantised(module: Any) -> Words | None:
    step = "Remove units from the model as it was before, and quantise after"
    if "qweight" in module._buffers or "qweight" in module._parameters:
        return f"is {_a(module)}, whose weight is quantised", step
    for name, own in module._parameters.items():
        if own is not None and (not own.is_floating_point() or own.element_size() == 1):
            return f"is {_a(module)}, whose {name} is quantised to {str(own.dtype).removeprefix('torch.')}", step
    return None


def _no_tensor(module: Any) -> Words | None:
    for name, own in module._parameters.items():
        if own is not None and type(own) not in NUMBERS:
            return (
                f"is {_a(module)}, whose {name} is {_a(own)} and no plain tensor",
                "Remove units first, and quantise or shard the model after",
            )
    return None


def _no_projection(module: Any) -> Words | None:
    from transformers.pytorch_utils import Conv1D

    if _own_forward(module) and type(module).forward in (nn.Linear.forward, Conv1D.forward):
        return None
    return f"is {_a(module)}, not {PLAIN}", f"Put {PLAIN} of the same weights in its place"


def _no_attention(module: Any) -> Words | None:
    if _own_forward(module) and type(module).forward.__module__.startswith(("transformers.", "headroom.")):
        return None
    return (
        f"is {_a(module)} with a forward that Headroom does not know",
        "Put transformers' own attention with the same weights in its place",
    )


def _own_forward(module: Any) -> bool:
    """Whether the module runs the forward of its class, if need be through accelerate, a compiler or a partial."""
    own = module.__dict__.get("forward")
    if own is None or hasattr(module, "_hf_hook"):
        return True
    own = getattr(own, "_torchdynamo_orig_callable", own)
    while isinstance(own, partial):
        own = own.func
    return isinstance(own, MethodType) and own.__func__ is type(module).forward


def _a(thing: Any) -> str:
    name = type(thing).__name__
    return f"{_article(name)} {name}"


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"
