"""What a profile asks of its records, by name: from params.yaml, never from what the records hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python

from headroom.config.only import Only
from headroom.config.params import Params
from headroom.config.recovery import Kind
from headroom.config.registry import RESERVED, file_of, short
from headroom.config.tasks import load_task
from headroom.errors import UserError
from headroom.results.records import CellRecord, Setting


@dataclass(frozen=True)
class Entry:
    """A line of ``params.yaml: methods``: its file, the parameters that it gives, and the sites it is held to."""

    file: str  # from the project's root; empty where there is none, which is no fault of a record
    parameters: Mapping[str, Any]
    kinds: tuple[str, ...] | None

    @property
    def given(self) -> dict[str, Any]:
        """All that it says to its method, the sites included."""
        return dict(self.parameters) | ({"kinds": list(self.kinds)} if self.kinds else {})


@dataclass(frozen=True)
class Asked:
    """Targets, seeds, tasks and methods of a profile, as plain values."""

    targets: tuple[float, ...]
    seeds: tuple[int, ...]  # of the calibration samples
    draws: int  # of a random method
    recovered: Mapping[str, tuple[float, ...]]  # targets that are fine-tuned, by model; others are measured as is only
    steps: Mapping[str, int]  # of that fine-tuning
    tasks: Mapping[str, Mapping[str, int]]  # model: task: version
    methods: Mapping[str, Entry]
    threads: int
    device: str = "auto"  # whatever there was
    recovery: Mapping[str, Kind] = field(default_factory=dict)  # by model, what learns in the fine-tuning; else full
    only: Mapping[str, Only] = field(default_factory=dict)  # by model, what is asked of it in place of all

    @classmethod
    def of(cls, params: Params) -> Asked:
        """What ``params`` asks. Raises ``UserError`` for a task that has no file."""
        versions = {name: load_task(name).version for spec in params.models.values() for name in spec.tasks}
        return cls(
            targets=params.run.targets,
            seeds=params.run.seeds,
            draws=params.run.draws,
            recovered={m: recipe.targets or params.of(m).run.targets for m, recipe in params.recover.items()},
            steps={model: recipe.steps for model, recipe in params.recover.items()},
            recovery={model: recipe.kind for model, recipe in params.recover.items()},
            tasks={model: {task: versions[task] for task in spec.tasks} for model, spec in params.models.items()},
            methods={name: entry_of(params, name) for name in params.methods},
            threads=params.run.threads,
            device=params.run.device.partition(":")[0],
            only=params.run.only,
        )

    def asks(self, model: str, method: str) -> bool:
        """Whether a method is asked of a model."""
        return model not in self.only or self.only[model].asks(method)

    def targets_of(self, model: str, setting: Setting) -> tuple[float, ...]:
        """The targets of a series in a setting; none where the model is not recovered."""
        only = self.only.get(model)
        return (only and only.targets) or self.targets if setting == "as is" else self.recovered.get(model, ())

    def seeds_of(self, record: CellRecord) -> tuple[int, ...]:
        """Draws of a random method, all seeds of a calibrated one, the first where neither changes anything.

        Older records do not say whether the method is calibrated: then the seeds that are there tell.
        """
        only = self.only.get(record.model)
        if record.stochastic:
            return tuple(range((only and only.draws) or self.draws))
        seeds = (only and only.seeds) or self.seeds
        first = seeds[:1]
        if record.calibrated is None:
            return first if seeds_in(record) <= set(first) else seeds
        return seeds if record.calibrated else first


def entry_of(params: Params, name: str) -> Entry:
    """The line of a method."""
    given = params.entry(name)
    parameters = {key: value for key, value in given.items() if key not in RESERVED}
    try:
        file = short(file_of(name, given, f"{params.profile}: methods.{name}"))
    except UserError:
        file = ""
    return Entry(file, to_jsonable_python(parameters), params.kinds(name))


def seeds_in(record: CellRecord) -> set[int]:
    """The seeds of a record's series."""
    return {point.seed for point in record.points if point.target > 0 and not point.label}
