"""What a method costs on a model: from published records of the same method, or else from what it declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.project import root
from headroom.errors import UserError
from headroom.estimate.figures import Basis
from headroom.results.files import read
from headroom.results.records import CellRecord

if TYPE_CHECKING:
    from headroom.pipeline.model_run import ModelRun
    from headroom.pipeline.questions import Declared

EXAMPLES = 256  # that a method reads, where it does not say
Own = tuple[float, str, str]  # target, natural, label of a point of the method's own


@dataclass(frozen=True)
class Spent:
    """Of one seed: examples forward and backward and update steps, and the points of the method's own."""

    forward: float
    backward: float
    updates: float
    basis: Basis
    origin: str  # in words
    own: tuple[Own, ...] = ()
    memory: int = 0  # bytes of its process on a CPU, where a record on the same model says so


NOTHING = Spent(0, 0, 0, "measured", "no pass of the model")  # of a method that goes by position or by chance


def spent(declared: Declared, run: ModelRun, family: str, steps: int) -> Spent:
    """What a seed of a method costs on a model of a ``family``; ``steps`` are those of a recovery."""
    if not declared.calibrated and not declared.stochastic and not declared.natural:
        return NOTHING
    records = [record for record in published(root() / "results") if same(record, declared)]
    if not records:
        return by_declaration(declared, run.spec.calibrate.examples, steps)
    here = run.name, run.params.profile, family
    nearest = min(
        records, key=lambda one: [a != b for a, b in zip((one.model, one.profile, one.family), here, strict=True)]
    )
    costs = nearest.costs
    scale = 1.0 if nearest.model == run.name else scaled(nearest, declared.units)
    return Spent(
        scale * sum(one.forward for one in costs) / len(costs),
        scale * sum(one.backward for one in costs) / len(costs),
        sum(one.updates for one in costs) / len(costs),
        "records",
        f"results of {nearest.profile} on {nearest.model}",
        own_points(nearest),
        peak(nearest) if nearest.model == run.name else 0,
    )


def same(record: CellRecord, declared: Declared) -> bool:
    """Whether a record is of the same method with the same parameters, and has costs."""
    there, here = record.parameters, declared.parameters
    alike = all(there[name] == here[name] for name in {*there, *here} if name in there and name in here)
    return record.file == declared.file and bool(record.costs) and alike  # a newer parameter stands at its default


def scaled(record: CellRecord, units: int) -> float:
    """More units, more passes: of a method that made some for every unit, and of no other."""
    there = max((point.units for point in record.points), default=0)
    passes = max(one.forward for one in record.costs) / examples_of(record.parameters)
    return units / there if there and passes > there / 4 else 1.0


def peak(record: CellRecord) -> int:
    """Bytes of the largest process that made plans; 0 where a card did, for the process had other libraries."""
    on_a_card = record.provenance.device not in ("", "cpu")
    return 0 if on_a_card else round(max(one.peak_memory_mb for one in record.costs) * 2**20)


def own_points(record: CellRecord) -> tuple[Own, ...]:
    """The points of one seed that answer to no target."""
    first = min((point.seed for point in record.points), default=0)
    mine = [point for point in record.points if point.seed == first and (point.natural or point.label)]
    once = {(point.natural, point.label): point for point in mine}
    return tuple((point.target, natural, label) for (natural, label), point in once.items())


def by_declaration(declared: Declared, calibrate: int, steps: int) -> Spent:
    """Each example once, by the method's track; a training for each point of its own."""
    examples = min(examples_of(declared.parameters), calibrate)
    own = tuple(natural_points(declared.parameters)) if declared.natural else ()
    trainings = max(1, len(own) - 1) if declared.trains else 0
    backward = examples if declared.track == "gradient" else 0
    said = "parameters, for want of published results"
    return Spent(examples, backward, trainings * steps, "assumed", said, own)


def examples_of(parameters: dict[str, Any]) -> int:
    """How many examples a method reads."""
    said = parameters.get("examples")
    return said if isinstance(said, int) and said > 0 else EXAMPLES


def natural_points(parameters: dict[str, Any]) -> Iterator[Own]:
    """A point for each value of the longest list among the parameters, and the floor; without a list, for eighths."""
    lists = [value for value in parameters.values() if isinstance(value, Sequence) and not isinstance(value, str)]
    values = max(lists, key=len, default=()) or range(1, 8)
    for place, value in enumerate(values, 1):
        yield place / (len(values) + 1), f"point {value}", ""
    yield 1.0, "floor", ""


@cache
def published(results: Path) -> tuple[CellRecord, ...]:
    """Every quality record in a folder ``results`` that can be read."""
    return tuple(record for path in sorted(results.glob("*/quality/*/*.json")) for record in _read(path))


def _read(path: Path) -> Iterator[CellRecord]:
    try:
        record = read(path, CellRecord)
    except UserError:
        return
    if record.status == "ok":
        yield record
