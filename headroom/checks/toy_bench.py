"""A tiny model with everything that the pipeline's bench has, made in a moment and trapped where evaluation starts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headroom.api import Grain, Method, Track, Unit
from headroom.attention import anatomy, toy, toy_batch
from headroom.checks.watching import Touched
from headroom.config.recovery import Recover
from headroom.data.batches import Collator, batches
from headroom.pipeline.bench import Bench
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.reach import resolved
from headroom.planted import with_own_answers
from headroom.training.lessons import Lessons

EXAMPLES = 24
STEPS = 10  # of update: a method may ask for shares from a tenth upwards


def every_layer(model: Any) -> Any:
    """The model without the chance of its family to skip whole layers while it trains, as in the profiles."""
    for module in model.modules():
        if hasattr(module, "layerdrop"):
            module.layerdrop = 0.0
    return model


class Stack(Collator):
    """Examples that are tensors already."""

    def __call__(self, examples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


class ToyBench(Bench):
    """A bench whose data are the model's own answers. It does what ``pipeline.bench`` does, with nothing on disk."""

    def __init__(self, model: Any, batch: dict[str, Tensor], make: Callable[[], Any], steps: int = STEPS) -> None:
        self.model, self.make, self.steps = every_layer(model), make, steps
        self.prepared: Any = self  # where the bench looks for the dense model
        batch = with_own_answers(model, batch)
        self.examples = [{name: value[at] for name, value in batch.items()} for at in range(len(batch["labels"]))]
        self._weights = tempfile.TemporaryDirectory(prefix="headroom-check-")

    @property
    def evaluation(self) -> Any:  # type: ignore[override]
        """A trap."""
        raise Touched("the method reached for the evaluation split through the context's private parts")

    @property
    def weights_folder(self) -> Path:
        return Path(self._weights.name)

    @cached_property
    def collator(self) -> Collator:
        return Stack()

    @cached_property
    def calibration(self) -> Any:
        return self.examples

    @cached_property
    def all_examples(self) -> dict[str, Tensor]:
        """Every example in one batch."""
        return Stack()(self.examples)

    @cached_property
    def batch(self) -> dict[str, Tensor]:
        return Stack()(self.examples[:8])

    def fresh(self) -> Any:
        return every_layer(self.make())

    def units(self, grains: Iterable[Grain]) -> tuple[Unit, ...]:
        """What a method that removes these grains is offered."""
        plan = anatomy(self.model)
        return plan.units(resolved(grains, plan.info))

    @cached_property
    def few_lessons(self) -> Lessons:
        """A recovery of a few steps."""
        recipe = Recover(steps=self.steps, batch=8, learning_rate=1e-3)
        return Lessons(self.calibration, self.collator, recipe, recipe, self.fresh)

    def context(self, method: Method, seed: int = 0, draw: int | None = None) -> HarnessContext:
        """What the pipeline would give the method. ``draw`` is added to the seed, not to that of the examples."""
        ctx = ToyContext(
            self.model,
            method.removes(),
            self.calibration,
            self.collator,
            method.params,
            seed + (draw or 0),
            lessons=self.few_lessons if method.track is Track.TRAINED else None,
            weights_folder=self.weights_folder,
        )
        ctx.draw = draw
        return ctx


class ToyContext(HarnessContext):
    """The pipeline's context, but that ``draw`` changes the seed and keeps the calibration examples."""

    draw: int | None = None

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        seed = self.seed if self.draw is None else self.seed - self.draw
        return batches(self._examples, self._collator, batch_size, seed=seed, examples=examples)


@lru_cache(maxsize=32)
def toy_bench(family: str) -> ToyBench:
    """The toy of a family, with its own answers as labels; it serves all methods, as contexts copy its model.

    Raises ``UserError`` for an unknown family.
    """
    return ToyBench(toy(family), toy_batch(family, EXAMPLES), lambda: toy(family, seed=1))
