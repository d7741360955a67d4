"""What a method gets to see of a model: gates, the stream, calibration examples; what it does is counted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from torch import Tensor, nn

from headroom import api, attention
from headroom.api import Gates, Grain, ModelInfo, Site, Unit, Units
from headroom.config.model_spec import CalibrateSpec
from headroom.data.batches import Collator, batches, losses_of, per_example_loss
from headroom.errors import UserError
from headroom.pipeline.deeds import Deeds
from headroom.pipeline.fence import lifted
from headroom.pipeline.reach import of_kinds, resolved
from headroom.training.lessons import Aim, Budget, Lessons, keep, weights_back

KINDS = ("self", "cross", "mlp", "block")  # in the order in which the sites of a block end


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
        lent: bool = False,
        calibrate: CalibrateSpec | None = None,
    ) -> None:
        """``lent``: nobody else needs the tensors of ``model``, for the process ends with these plans; else a copy.

        ``calibrate``: the most calibration examples in all and at once, whatever the method asks for.
        """
        self.model = (attention.twin if lent else copy.deepcopy)(model).eval()
        anatomy = attention.anatomy(self.model)
        self.info: ModelInfo = anatomy.info
        units = of_kinds(anatomy.units(resolved(grains, self.info)), kinds)
        self.units = Units(units, {unit: anatomy.parameters(unit) for unit in units}, str(device_of(model)))
        self.params, self._seed, self._voice = params, seed, say
        self._rng = torch.Generator().manual_seed(seed)
        self.deeds = Deeds(self.model)
        self._anatomy, self._examples, self._collator = anatomy, examples, collator
        self._lessons, self._folder, self._calibrate = lessons, weights_folder, calibrate
        scratch = lessons.scratch if lessons else None
        self.budget = Budget(lessons.recover.steps if lessons else 0, scratch.steps if scratch else 0)

    @property
    def seed(self) -> int:  # type: ignore[override]  # a property, so that looking at it is noticed
        self.deeds.chance = True
        return self._seed

    @property
    def rng(self) -> torch.Generator:  # type: ignore[override]
        self.deeds.chance = True
        return self._rng

    def calibration(self, examples: int, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        if allowed := self._calibrate:
            examples, batch_size = min(examples, allowed.examples), min(batch_size, allowed.batch or batch_size)
        for batch in batches(self._examples, self._collator, batch_size, seed=self._seed, examples=examples):
            self.deeds.examples += len(next(iter(batch.values())))
            yield {name: value.to(self.units.device) for name, value in batch.items()}

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return per_example_loss(self.model, batch).sum()

    def losses(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor:
        return losses_of(self.model, logits.float(), batch["labels"])

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        with torch.inference_mode():
            return self.model(**batch).logits

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

    def upwards(
        self, batches: Sequence[dict[str, Tensor]], sites: Iterable[Site]
    ) -> Iterator[tuple[Site, Iterator[dict[str, Tensor]]]]:
        climb = attention.Climb(self.model, batches)
        try:
            for site in sorted(sites, key=lambda site: (site.stack == "decoder", site.layer, KINDS.index(site.kind))):
                climb.up_to(site)
                yield site, climb.through(site)
        finally:
            self.deeds.forward += ceil(climb.runs)  # blocks that ran, in passes of the whole model

    def weights(self, unit: Unit) -> dict[str, Tensor]:
        self.deeds.weights = True
        return {name: tensor.detach() for name, tensor in self._anatomy.weights(unit).items()}

    def heads_of(self, site: Site) -> tuple[Unit, ...]:
        return tuple(Unit(site, Grain.HEAD, head) for head in self._anatomy.places[site].heads)

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
            self._lessons.teach(self.model, steps, self._seed, from_scratch, **aim)
            self.deeds.taught(steps)
            yield self.keep()

    @contextmanager
    def edited(self) -> Iterator[None]:
        with self.deeds.editing(), weights_back(self.model):
            yield

    def keep(self) -> Path:
        if self._folder is None:
            raise UserError("Weights can be kept in the pipeline only.")
        self.deeds.kept()
        with lifted():
            return self.budget.note(keep(self.model, self._folder))

    def say(self, text: str) -> None:
        self._voice(text)


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
