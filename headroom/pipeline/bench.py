"""Measure one removed model: quality on every task, what it lost in size, agreement with the masked one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from headroom import attention
from headroom.api import Grain, Unit
from headroom.config.recovery import Recover
from headroom.config.tasks import Task, load_task
from headroom.data.batches import Collator, batches
from headroom.data.loading import read_split
from headroom.errors import UserError
from headroom.evaluate import Evaluation, logit_difference
from headroom.evaluate.batching import longest, rows, undivided
from headroom.evaluate.said import SHOWN, Shown, shown
from headroom.evaluate.scores import Scores
from headroom.measure import devices
from headroom.models.heads import at_beginning
from headroom.models.loading import Prepared, build, load_prepared
from headroom.models.placement import HERE, Placement
from headroom.training.determinism import deterministic
from headroom.training.lessons import Lessons, take

Teach = Callable[[Any], Any]  # gives a fine-tuned model for a removed one, whose tensors may be the dense model's too
COMPARED = 2048  # tokens, on which masked and removed are compared at every point


@cache
def bench_of(
    folder: Path, data_dir: Path | None = None, placement: Placement = HERE, tokens: int | None = None
) -> Bench:
    """The bench of a prepared model, one a process: it is loaded and its tasks are encoded once.

    Raises ``UserError`` where torch cannot compute on the device of ``placement``.
    """
    devices.check(placement.device)
    return Bench(folder, data_dir, placement, tokens)


class Bench:
    """A prepared model with its tasks; loads what is asked for, when it is asked for."""

    def __init__(
        self, folder: Path, data_dir: Path | None = None, placement: Placement = HERE, tokens: int | None = None
    ) -> None:
        """``tokens``: how many of them are scored at once where the model's entry does not say."""
        self.tokens = tokens
        self.prepared: Prepared = load_prepared(folder, data_dir, placement)
        self.folder = folder
        self.tasks: list[Task] = [load_task(name) for name in self.prepared.spec.tasks]

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation splits, encoded once for all points. Methods never see this object."""
        splits = [(task, read_split(self.folder, task.name, "evaluate")) for task in self.tasks]
        return Evaluation.of(self.prepared, splits, self.tokens)

    def holds(self, tokens: int) -> bool:
        """Whether so many tokens of the longest evaluation examples of each task go through the model at once."""
        splits = [(task, longest(read_split(self.folder, task.name, "evaluate"), tokens)) for task in self.tasks]
        try:
            with undivided():
                Evaluation.of(self.prepared, splits, tokens).score(self.prepared.model)
        except MemoryError:
            return False
        return True

    @cached_property
    def collator(self) -> Collator:
        return self.prepared.collator

    @cached_property
    def calibration(self) -> Dataset:
        """What methods may look at: the calibration split of the model's first task."""
        return read_split(self.folder, self.tasks[0].name, "calibrate")

    @cached_property
    def batch(self) -> dict[str, Tensor]:
        """The batch on which sizes are counted and masked is compared with removed, where the model is."""
        size = min(8, self.prepared.spec.calibrate.batch or 8)
        batch = next(iter(batches(self.calibration, self.collator, size)))
        tokens = max((tensor.shape[1] for tensor in batch.values() if tensor.dim() == 2), default=1)
        few = rows(batch, slice(max(1, COMPARED // tokens)))
        return {name: tensor.to(self.prepared.model.device) for name, tensor in few.items()}

    @cache  # noqa: B019 - one bench lives as long as its process
    def lessons(self, recover: Recover) -> Lessons:
        """What plans are fine-tuned on. Raises ``UserError`` for a task without a train split."""
        task = self.tasks[0]
        if not (self.folder / "data" / task.name / "train.parquet").is_file():
            raise UserError(f"{task.file}: splits.train is missing, and params.yaml: recover needs it. Add the split.")
        examples = read_split(self.folder, task.name, "train")
        recipe = self.prepared.spec.train
        spec, purpose, tokenizer = self.prepared.spec, self.prepared.purpose, self.prepared.tokenizer
        trained, folder = self.prepared.model, self.folder.absolute()  # a method is at work in an empty folder

        def fresh() -> Any:
            """The model before its training, the same weights as then. Knows nothing of this bench."""
            if spec.source.config is None:
                return at_beginning(trained, folder)
            torch.manual_seed(spec.train.seed if spec.train else 0)
            return build(spec, purpose, tokenizer)

        return Lessons(examples, self.collator, recover, recipe, fresh if recipe else None)

    def dense(self, weights: str = "") -> Any:
        """The dense model, its tensors shared; or a copy with the weights that a method trained or set."""
        if not weights:
            return attention.twin(self.prepared.model)
        model = copy.deepcopy(self.prepared.model)
        take(model, Path(weights))
        return model

    def removed(self, units: Iterable[Unit], weights: str = "") -> Any:
        """A model without these units whose tensors are all its own, as one that is timed or trained has to be."""
        return copy.deepcopy(attention.without(self.dense(weights), self.without_empty_stacks(set(units))))

    def without_empty_stacks(self, units: set[Unit]) -> list[Unit]:
        """A stack keeps its last block in name: where every block goes, all its sublayers go, which is the same."""
        plan = attention.anatomy(self.prepared.model)
        for stack in {unit.site.stack for unit in units}:
            blocks = {unit for unit in plan.units((Grain.BLOCK,)) if unit.site.stack == stack}
            if blocks <= units:
                inside = (unit for unit in plan.units((Grain.ATTENTION, Grain.MLP)) if unit.site.stack == stack)
                units = (units - blocks) | set(inside)
        return sorted(units)

    def answer(self, units: Iterable[Unit], weights: str = "", teach: Teach | None = None) -> dict[str, Any]:
        """Statistics per example of every task (arrays), signatures, counts, and the largest logit difference.

        ``teach`` fine-tunes the removed model before it is scored. Masked and removed are compared before that.
        """
        device, unsure = self.prepared.model.device, set[str]()
        with deterministic(device, unsure) if device.type != "cpu" else nullcontext():
            found = self.measured(self.without_empty_stacks(set(units)), weights, teach)
        return found | ({"unsure": sorted(unsure)} if unsure else {})

    def measured(self, units: list[Unit], weights: str, teach: Teach | None) -> dict[str, Any]:
        """What ``answer`` gives, with the kernels that are set."""
        whole = self.dense(weights)
        model = attention.without(whole, units)
        found: dict[str, Any] = {"signatures": {}, "aggregates": {}, "said": {}}
        found["counts"] = asdict(attention.count(model, rows(self.batch, slice(1))))  # shares are those of a row
        found["logit_difference"] = logit_difference(whole, model, units, self.batch)
        if teach:
            model = teach(model)
        of_dense, found["blind"] = self.remembered  # before anything is compared
        as_it_was = not (units or weights or teach)
        for task, scores in (of_dense if as_it_was else self.evaluation.score(model)).items():
            found[f"stats:{task}"] = np.asarray(scores.stats, dtype=np.float64)
            if scores.agreement is not None:
                found[f"agreement:{task}"] = scores.agreement
            found["signatures"][task] = scores.signature
            found["aggregates"][task] = scores.aggregate
            found["said"][task] = scores.said
        if not units and not weights:
            found["shown"] = {task: [asdict(one) for one in ones] for task, ones in self.shown().items()}
        return found

    @cached_property
    def remembered(self) -> tuple[dict[str, Scores], dict[str, float]]:
        """The dense model's scores and, by task, the divergence from it of one without skill.

        From here on every score is compared.
        """
        return self.evaluation.remember(self.prepared.model)

    def shown(self) -> dict[str, list[Shown]]:
        """The first evaluation examples of each task, as a reader sees them."""
        found = {}
        for task in self.tasks:
            examples = read_split(self.folder, task.name, "evaluate")
            first = [examples[place] for place in range(min(SHOWN, len(examples)))]
            found[task.name] = shown(task.evaluator, first, self.prepared.contract.class_names(task))
        return found
