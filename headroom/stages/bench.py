"""Measure one removed model: quality on every task, what it lost in size, agreement with the masked one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor

from headroom import attention
from headroom.api import Unit
from headroom.batches import Collator, batches, collator_for
from headroom.context import Lessons
from headroom.data import read_split
from headroom.evaluate import Evaluation, logit_difference
from headroom.models import Prepared, load_prepared
from headroom.tasks import Task, load_task


class Bench:
    """A prepared model with its tasks; loads what is asked for, when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.prepared: Prepared = load_prepared(folder)
        self.folder = folder
        self.tasks: list[Task] = [load_task(name) for name in self.prepared.spec.tasks]

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation splits, encoded once for all points. Methods never see this object."""
        return Evaluation.of(
            self.prepared, [(task, read_split(self.folder, task.name, "evaluate")) for task in self.tasks]
        )

    @cached_property
    def collator(self) -> Collator:
        return collator_for(self.prepared)

    @cached_property
    def calibration(self) -> Dataset:
        """What methods may look at: the calibration split of the model's first task."""
        return read_split(self.folder, self.tasks[0].name, "calibrate")

    @cached_property
    def batch(self) -> dict[str, Tensor]:
        """The batch on which sizes are counted and masked is compared with removed."""
        return next(iter(batches(self.calibration, self.collator, 8)))

    def lessons(self, folder: Path) -> Lessons | None:
        """What methods of the trained track train on; None for a model that came without training data."""
        recipe = self.prepared.spec.train
        if recipe is None:
            return None
        examples = read_split(self.folder, self.tasks[0].name, "train")
        return Lessons(examples, recipe.batch, recipe.learning_rate, folder)

    def dense(self, weights: str = "") -> Any:
        """A copy of the dense model, with the weights a method trained where there are any."""
        model = copy.deepcopy(self.prepared.model)
        if weights:
            from safetensors.torch import load_model

            load_model(model, weights)
        return model

    def removed(self, units: Iterable[Unit], weights: str = "") -> Any:
        """A copy of the dense model without these units."""
        model = self.dense(weights)
        attention.remove(model, list(units))
        return model

    def answer(self, units: Iterable[Unit], weights: str = "") -> dict[str, Any]:
        """Statistics per example of every task (arrays), signatures, counts, and the largest logit difference."""
        units = sorted(units)
        model = self.removed(units, weights)
        found: dict[str, Any] = {"signatures": {}, "aggregates": {}}
        for task, scores in self.evaluation.score(model).items():
            found[f"stats:{task}"] = np.asarray(scores.stats, dtype=np.float64)
            found["signatures"][task] = scores.signature
            found["aggregates"][task] = scores.aggregate
        found["counts"] = asdict(attention.count(model, self.batch))
        found["logit_difference"] = logit_difference(self.dense(weights), model, units, self.batch)
        return found
