"""What a method gets to see of a model: gates, the stream, calibration examples, and a counter on every pass."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from torch import Tensor, nn

from headroom import api, attention
from headroom.api import Gates, Grain, ModelInfo, Scores, Site, Unit, Units
from headroom.batches import Collator, batches, per_example_loss
from headroom.errors import UserError


class Passes:
    """Examples that went through the model, forward and backward, and optimizer steps: counted, not claimed."""

    def __init__(self) -> None:
        self.forward = self.backward = self.updates = 0


class CountedGates(Gates):
    """Gates whose backward passes are counted."""

    def __init__(self, inner: Gates, passes: Passes, last_batch: list[int]) -> None:
        self.inner, self.passes, self.last_batch = inner, passes, last_batch

    def slopes(self, loss: Tensor) -> Scores:
        self.passes.backward += self.last_batch[0]
        return self.inner.slopes(loss)


@dataclass(frozen=True)
class Lessons:
    """What training methods train on, how, and where their weights are kept."""

    examples: Dataset
    batch: int
    learning_rate: float
    folder: Path

    def keep(self, model: nn.Module) -> Path:
        """Store the weights under a hash of their contents."""
        from safetensors.torch import save_model

        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / ".draft.safetensors"
        save_model(model, str(draft))
        path = self.folder / f"{hashlib.sha256(draft.read_bytes()).hexdigest()[:32]}.safetensors"
        return draft.replace(path)


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
    ) -> None:
        self.model = copy.deepcopy(model).eval()
        anatomy = attention.anatomy(self.model)
        self.info: ModelInfo = anatomy.info
        units = anatomy.units(resolved(grains, self.info))
        self.units = Units(units, {unit: anatomy.parameters(unit) for unit in units}, str(device_of(model)))
        self.params, self.seed, self._voice = params, seed, say
        self.rng = torch.Generator().manual_seed(seed)
        self.passes = Passes()
        self._anatomy, self._examples, self._collator = anatomy, examples, collator
        self._last_batch, self._lessons = [0], lessons

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        for batch in batches(self._examples, self._collator, batch_size, seed=self.seed, examples=examples):
            yield {name: value.to(self.units.device) for name, value in batch.items()}

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        self._count(batch)
        return per_example_loss(self.model, batch).sum()

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        self._count(batch)
        with torch.inference_mode():
            return self.model(**batch).logits

    def _count(self, batch: dict[str, Tensor]) -> None:
        self._last_batch[0] = len(next(iter(batch.values())))
        self.passes.forward += self._last_batch[0]

    @contextmanager
    def gates(
        self, per: Literal["batch", "example", "token"] = "batch", values: Callable[[Site], Tensor] | None = None
    ) -> Iterator[Gates]:
        with attention.gate(self.model, self.units.all, per=per, values=values) as gates:
            yield CountedGates(gates, self.passes, self._last_batch)

    def silenced(self, units: Iterable[Unit]) -> AbstractContextManager[None]:
        return attention.mask(self.model, list(units))

    def stream(self) -> AbstractContextManager[api.Stream]:
        return attention.watch(self.model)

    def weights(self, unit: Unit) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self._anatomy.weights(unit).items()}

    def train(
        self,
        objective: Callable[[Any], Tensor],
        steps: int,
        extra: Iterable[nn.Parameter] = (),
        extra_learning_rate: float | None = None,
    ) -> Path:
        if self._lessons is None:
            raise UserError("This model has no training data here, so methods of the trained track cannot run on it.")
        from headroom.train import fit

        lessons = self._lessons
        stream = batches(lessons.examples, self._collator, lessons.batch, seed=self.seed, endless=True)
        fit(
            self.model,
            stream,
            steps,
            lessons.learning_rate,
            seed=self.seed,
            objective=objective,
            extra_parameters=extra,
            extra_learning_rate=extra_learning_rate,
            label="method",
        )
        self.passes.updates += steps
        return lessons.keep(self.model)

    def say(self, text: str) -> None:
        self._voice(text)


def resolved(grains: Iterable[Grain], info: ModelInfo) -> tuple[Grain, ...]:
    """HEAD means a KV group where queries are grouped: only then do weights and cache fall with it."""
    grouped = any(info.groups[site] != heads for site, heads in info.sites.items())
    return tuple(Grain.KV_GROUP if grain is Grain.HEAD and grouped else grain for grain in grains)


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
