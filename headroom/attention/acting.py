"""Hooks for the length of a ``with`` block, and the word that is given when they did not act.

A hook acts when its module is called. Compiled models are run eagerly, so that modules are; but TorchScript, graphs
and somebody's own modules may do a part's work without calling it. Each stack of blocks therefore looks after each
pass whether all its hooked sites have acted, and the model whether its stacks have run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from headroom.api import Site
from headroom.attention.anatomy import Anatomy
from headroom.attention.compiled import eager, unwrapped
from headroom.attention.plain import refuse, shared_modules
from headroom.attention.stand_ins import Remembered
from headroom.attention.taps import named_inputs, on_inputs
from headroom.errors import UserError

Inputs = dict[str, Any]


class Acting:
    """The hooks of one ``with`` block and which sites have acted in the pass that runs."""

    def __init__(self, plan: Anatomy) -> None:
        self._plan = plan
        self.handles: list[RemovableHandle] = []
        self._clock = 0  # counts what acted: passes of several threads may overlap
        self._acted: list[tuple[Site, list[int]]] = []  # every hooked site, and when it acted last
        self._ran = dict.fromkeys(plan.stacks, 0)
        self._began: dict[tuple[int, str], int] = {}

    def noting(self, site: Site, act: Callable[..., Any]) -> Callable[..., Any]:
        """``act``, which a hook of this site calls, with a note that it was called."""
        when = [0]
        self._acted.append((site, when))

        def noted(*args: Any) -> Any:
            self._clock += 1
            when[0] = self._clock
            return act(*args)

        return noted

    def look(self) -> None:
        """Look after every pass of a stack, and of the model, whether what is hooked has acted."""
        ends = [(self._plan.owner(name), name, partial(self._stack_end, name)) for name in self._plan.stacks]
        for module, name, end in (*ends, (self._plan.model, "", self._model_end)):
            self.handles.append(module.register_forward_pre_hook(partial(self._begin, name)))
            self.handles.append(module.register_forward_hook(end, with_kwargs=True))

    def _begin(self, name: str, *_: Any) -> None:
        self._began[get_ident(), name] = self._clock

    def _late(self, name: str) -> list[Site]:
        """The sites that have not acted since the pass of this name began."""
        began = self._began.pop((get_ident(), name), 0)
        return [site for site, when in self._acted if when[0] <= began]

    def _stack_end(self, name: str, owner: Any, args: tuple[Any, ...], kwargs: Inputs, _: Any) -> None:
        self._ran[name] += 1
        if owner.training and getattr(owner, "layerdrop", 0):
            return  # blocks are left out at random
        for site in self._late(name):
            if site.stack == name and not self._may_rest(site, named_inputs(owner, args, kwargs)):
                raise UserError(self._words(site, self._plan.path(site)))

    def _may_rest(self, site: Site, inputs: Inputs) -> bool:
        """A cross-attention has nothing to attend to, or a block answers from memory."""
        crossless = site.kind == "cross" and inputs.get("encoder_hidden_states") is None
        return crossless or isinstance(self._plan.block_now(site), Remembered)

    def _model_end(self, model: nn.Module, args: tuple[Any, ...], kwargs: Inputs, _: Any) -> None:
        given = named_inputs(model, args, kwargs).get("encoder_outputs") is not None
        for site in self._late(""):
            if not self._ran[site.stack] and not (given and site.stack == "encoder"):
                raise UserError(self._words(site, self._plan.stacks[site.stack].blocks.rpartition(".")[0]))

    def _words(self, site: Site, path: str) -> str:
        culprit = _stranger(self._plan.base, path)
        return (
            f"{site}: the model ran, but this site was never called, so gates, masks and watches cannot act on it. "
            f"{culprit} Put transformers' own module back in its place for the length of the with block."
        )


def _stranger(base: nn.Module, path: str) -> str:
    """Which module on the way to a site is not the library's, in words."""
    module: Any = base
    walked: list[str] = []
    for name in ["", *path.split(".")]:
        module = unwrapped(getattr(module, name, module)) if name else module
        walked += [name] if name else []
        kind = type(module)
        own = module.__dict__.get("forward")
        known = kind.__module__.startswith(("transformers.models.", "torch.nn.", "headroom."))
        if not known or own is not None:
            what = f"a {kind.__name__}" if not known else f"a {kind.__name__} with another forward than its own"
            return f"{'.'.join(walked) or 'The base model'} is {what} and does the work of its parts without them."
    return "Some module on the way to it does the work of its parts without calling them."


@contextmanager
def acting(plan: Anatomy, begin: Callable[[Inputs], None] | None = None, copies: bool = True) -> Iterator[Acting]:
    """Hooks that act, or a ``UserError``: at once for modules that serve two sites, else at the end of a pass.

    ``begin`` is called with the named inputs of each pass. Compiled models run eagerly inside. ``copies`` says whether
    the copies that ``DataParallel`` makes of a model may run: each sees a part of the batch only.
    """
    refuse(shared_modules(plan.places))
    hooks = Acting(plan)
    with eager():
        try:
            hooks.handles.append(on_inputs(plan.model, begin or _nothing, copies))
            hooks.look()
            yield hooks
        finally:
            for handle in hooks.handles:
                handle.remove()


def _nothing(_: Inputs) -> None:
    """What a pass begins with where nobody asked for its inputs."""
