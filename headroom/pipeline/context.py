"""What a method gets to see of a model: gates, the stream, calibration examples, and a counter on every pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from torch import Tensor, nn

from headroom import api, attention
from headroom.api import Gates, Grain, ModelInfo, Site, Unit, Units
from headroom.data.batches import Collator, batches, per_example_loss
from headroom.errors import UserError
from headroom.pipeline.reach import of_kinds, resolved
from headroom.training.lessons import Aim, Budget, Lessons, keep, weights_back


class Passes:
    """Examples that went through the model, forward and backward, and optimizer steps: counted, not claimed."""

    def __init__(self) -> None:
        self.forward = self.backward = self.updates = 0


class HarnessContext(api.Context):
    """The one implementation of :class:`headroom.api.Context`."""

    def __init__(
        self,
        model: nn.Module,
        grains: tuple[Grain, ...],
        examples: Dataset,
        collator: Collator,
        params: Any,
        seed: int,
        say: Callable[[str], None] = lambda text: None,
        lessons: Lessons | None = None,
        weights_folder: Path | None = None,
        kinds: tuple[str, ...] | None = None,
    ) -> None:
        self.model = copy.deepcopy(model).eval()
        anatomy = attention.anatomy(self.model)
        self.info: ModelInfo = anatomy.info
        units = of_kinds(anatomy.units(resolved(grains, self.info)), kinds)
        self.units = Units(units, {unit: anatomy.parameters(unit) for unit in units}, str(device_of(model)))
        self.params, self.seed, self._voice = params, seed, say
        self.rng = torch.Generator().manual_seed(seed)
        self.passes = Passes()
        self._anatomy, self._examples, self._collator = anatomy, examples, collator
        self._lessons, self._folder = lessons, weights_folder
        scratch = lessons.scratch if lessons else None
        self.budget = Budget(lessons.recover.steps if lessons else 0, scratch.steps if scratch else 0)

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        for batch in batches(self._examples, self._collator, batch_size, seed=self.seed, examples=examples):
            yield {name: value.to(self.units.device) for name, value in batch.items()}

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        self._count(batch)
        loss = per_example_loss(self.model, batch).sum()
        if loss.requires_grad:  # whoever asks for a gradient, of gates or of weights, comes by here
            loss.register_hook(lambda _: self._count_backward(len(next(iter(batch.values())))))
        return loss

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        self._count(batch)
        with torch.inference_mode():
            return self.model(**batch).logits

    def _count(self, batch: dict[str, Tensor]) -> None:
        self.passes.forward += len(next(iter(batch.values())))

    def _count_backward(self, examples: int) -> None:
        self.passes.backward += examples

    def gates(
        self, per: Literal["batch", "example", "token"] = "batch", values: Callable[[Site], Tensor] | None = None
    ) -> AbstractContextManager[Gates]:
        return attention.gate(self.model, self.units.all, per=per, values=values)

    def silenced(self, units: Iterable[Unit]) -> AbstractContextManager[None]:
        return attention.mask(self.model, list(units))

    def stream(self) -> AbstractContextManager[api.Stream]:
        return attention.watch(self.model)

    def heads(self, made: Literal["context", "value", "map"] = "context") -> AbstractContextManager[api.Heads]:
        return attention.heads(self.model, made)

    def each_silenced(self, batch: dict[str, Tensor], units: Iterable[Unit]) -> Iterator[tuple[Unit, Tensor]]:
        replay = attention.Replay(self.model)
        with replay.recorded():
            self.logits(batch)
        for unit in units:
            with self.silenced([unit]), replay.above(unit.site):
                logits = self.logits(batch)
            yield unit, logits  # outside, so that a caller who runs another batch meets no remembered block

    def weights(self, unit: Unit) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self._anatomy.weights(unit).items()}

    def out_bias(self, site: Site) -> Tensor | None:
        bias = getattr(self._anatomy.places[site].out, "bias", None)
        return None if bias is None else bias.detach()

    @contextmanager
    def trained(
        self,
        objective: Callable[[Any], Tensor],
        share: float = 1.0,
        extra: Iterable[nn.Parameter] = (),
        extra_learning_rate: float | None = None,
        from_scratch: bool = False,
    ) -> Iterator[Path]:
        if self._lessons is None:
            raise UserError("This model has no training data here, so methods of the trained track cannot run on it.")
        aim = Aim(objective=objective, extra_parameters=extra, extra_learning_rate=extra_learning_rate)
        with self.edited(), self.budget.unchanged():
            steps = self.budget.take(share, from_scratch)
            self._lessons.teach(self.model, steps, self.seed, from_scratch, **aim)
            self.passes.updates += steps
            yield self.keep()

    def edited(self) -> AbstractContextManager[None]:
        return weights_back(self.model)

    def keep(self) -> Path:
        if self._folder is None:
            raise UserError("Weights can be kept in the pipeline only.")
        return self.budget.note(keep(self.model, self._folder))

    def say(self, text: str) -> None:
        self._voice(text)


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
