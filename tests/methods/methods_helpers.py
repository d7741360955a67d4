"""What the tests of methods share: a context on a toy model, plantings, and plans on request."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch

from headroom.api import Grain, Site, Unit
from headroom.attention import anatomy, toy, toy_batch
from headroom.config.registry import import_file, load_method, method_files
from headroom.pipeline.context import HarnessContext

TARGETS = (0.25, 0.5, 0.75, 1.0)


class ToyContext(HarnessContext):
    """The harness's context on a toy model, with two toy batches for calibration."""

    def __init__(self, family, method, model=None, seed=0, folder=None, batches=None, kinds=None):
        model = toy(family) if model is None else model
        grains, params = method.removes(), method.params
        super().__init__(model, grains, None, None, params, seed, weights_folder=folder, kinds=kinds)
        self.batches = [toy_batch(family, 3, seed) for seed in (7, 8)] if batches is None else batches

    def calibration(self, examples, batch_size=32):
        return iter(self.batches)


def method(name, **params):
    """A method by its file's name, with parameters."""
    return load_method(name, params, name)


def part(name, function):
    """A function of a method's file."""
    return getattr(import_file(method_files()[name]), function)


def context(family, name, model=None, folder=None, batches=None, kinds=None, **params):
    """A method and a context for it."""
    found = method(name, **params)
    return found, ToyContext(family, found, model, folder=folder, batches=batches, kinds=kinds)


def plans(family, name, targets=TARGETS, model=None, folder: Path | None = None, batches=None, kinds=None, **params):
    """What a method would remove at each target."""
    found, ctx = context(family, name, model, folder, batches, kinds, **params)
    return list(found.plans(ctx, targets))


def order(family, name, model=None, folder=None, batches=None, **params):
    """The units in the order in which a method with nested plans removes them."""
    found, ctx = context(family, name, model, folder, batches, **params)
    count = len(ctx.units)
    drops = [plan.drop for plan in found.plans(ctx, [n / count for n in range(1, count + 1)])]
    gone: list[Unit] = []
    for drop in drops:
        assert set(gone) < drop, "the plans are nested, one unit a step"
        gone += drop - set(gone)
    return gone


def units_of(model, *grains):
    return anatomy(model).units(grains)


def heads_of(model):
    grouped = anatomy(model).grouped
    return units_of(model, Grain.KV_GROUP if grouped else Grain.HEAD)


def kill_heads(model, units):
    """Zero the output columns of some heads, so that nothing they make reaches the stream."""
    for unit in units:
        anatomy(model).weights(unit)["out"].data.zero_()
    return model


def kill_sublayers(model, units):
    """Zero the last projection of some sublayers, weight and bias, so that they add nothing to the stream."""
    for unit in units:
        place = anatomy(model).place(unit)
        if unit.grain is Grain.ATTENTION:
            last = place.out
        else:
            last = [
                module
                for module in place.module(place.part.end).modules()
                if len(module._parameters) and module.weight.dim() == 2
            ][-1]
        for parameter in last.parameters():
            parameter.data.zero_()
    return model


class FakeStream:
    """A context in which the stream around every site is given."""

    def __init__(self, around: dict[Site, tuple[list, list]], purpose="language"):
        self.seen = {site: tuple(torch.tensor(states) for states in pair) for site, pair in around.items()}
        self.units = SimpleNamespace(sites=dict.fromkeys(around), zeros=lambda: {s: torch.zeros(1) for s in around})
        self.info = SimpleNamespace(purpose=purpose)

    def calibration(self, examples, batch_size=32):
        return iter([{}])

    def logits(self, batch):
        return None

    @contextmanager
    def stream(self):
        yield SimpleNamespace(around=lambda site: self.seen[site])
