"""What the parts of one record have to say of each other: numbers that were made together cannot differ alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from math import isclose
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from headroom.config.located import AT_KEY

if TYPE_CHECKING:
    from headroom.results.records import CellRecord, Point, TaskFacts, TaskScore

CLOSE = 1e-6  # of figures that were computed from each other: room for another order of adding
Fault = tuple[str, str]  # key, and what is wrong there


def contradiction(record: CellRecord) -> None:
    """Raises the error of a validator for the first thing that cannot be so."""
    held = (of_points, of_units, of_scores, of_agreement, of_costs)
    for key, message in chain.from_iterable(faults(record) for faults in held):
        raise PydanticCustomError(AT_KEY, "{says}", {"key": key, "says": f" {message}"})


def good(record: CellRecord) -> Iterator[tuple[str, Point]]:
    """Every point that is ok, with its key."""
    return ((f"points.{number}", point) for number, point in enumerate(record.points) if point.status == "ok")


def of_points(record: CellRecord) -> Iterator[Fault]:
    """Which points there are, and which settings and names they may have."""
    once: dict[tuple[str, int, str, str], str] = {}
    for key, point in good(record):
        name = (point.setting, point.seed, point.label, point.place)
        if name in once:
            yield key, f"is {point.place}, seed {point.seed}, {point.setting}, and so is {once[name]}"
        once[name] = key
        if set(point.tasks) != set(record.tasks):
            yield f"{key}.tasks", f"holds {_listed(point.tasks)}, and the record {_listed(record.tasks)}"
        if set(point.agreement) != set(record.agreement):
            yield f"{key}.agreement", f"holds {_listed(point.agreement)}, and the record {_listed(record.agreement)}"
        if point.natural and not record.natural:
            yield f"{key}.natural", f"is {point.natural!r}, and the method has no points of its own (natural is false)"
        if record.natural and point.target > 0 and not (point.natural or point.label):
            yield f"{key}.natural", "is empty, and the method has points of its own only (natural is true)"
        if record.track == "trained" and point.setting == "as is":
            yield f"{key}.setting", "is 'as is', and the method trains"
    for number, point in enumerate(record.points):
        if record.status == "ok" and point.status != "ok":
            yield f"points.{number}.status", f"is {point.status}, and that of the record ok"


def of_units(record: CellRecord) -> Iterator[Fault]:
    """What can be removed is one set of units of the method's grains; what is not of the series is not held to it."""
    seen = set[str]()
    for key, point in good(record):
        if point.units != record.points[0].units:
            yield f"{key}.units", f"is {point.units}, and {record.points[0].units} at the first point"
        if point.label:
            continue
        foreign = next((unit for unit in point.plan if unit.partition(":")[0] not in record.grains), "")
        if foreign:
            yield f"{key}.plan", f"lists {foreign}, and the method removes {_listed(record.grains)}"
        seen.update(point.plan)
        if len(seen) > point.units:
            yield f"{key}.plan", f"with the plans before it lists {len(seen)} units, and there are {point.units}"


def of_scores(record: CellRecord) -> Iterator[Fault]:
    """Every score is beside one dense model; the same plan has one."""
    dense: dict[tuple[str, str], TaskScore] = {}
    measured: dict[tuple[Any, ...], tuple[str, Mapping[str, Any]]] = {}
    for key, point in good(record):
        for task, score in point.tasks.items():
            first = dense.setdefault((point.setting, task), score)
            if task in record.tasks:
                wanted = first.value - first.difference
                for name, message in beside(score, record.tasks[task], wanted, first.examples):
                    yield f"{key}.tasks.{task}.{name}", message
        seed = point.seed if point.updates else 0
        before, same = measured.setdefault((point.setting, point.plan_hash, point.updates, seed), (key, figures(point)))
        if same != figures(point):
            differing = next(name for name, value in figures(point).items() if same[name] != value)
            yield f"{key}.{differing}", f"differs from that of {before}, which has the same plan"


def of_agreement(record: CellRecord) -> Iterator[Fault]:
    """The same of agreement with the dense model."""
    if record.agreement:
        for key, message in of_scores(record.of_quality("agreement")):
            yield key.replace(".tasks.", ".agreement."), message


def beside(score: TaskScore, facts: TaskFacts, dense: float, examples: int) -> Iterator[Fault]:
    """What is wrong with a score if ``dense`` is the value of the dense model on as many ``examples``."""
    if score.examples != examples:
        yield "examples", f"is {score.examples}, and {examples} in others of the task"
    if not _same(score.value - score.difference, dense):
        said = f"is {score.difference:.6g}, and the value {score.value:.6g}"
        yield (
            "difference",
            f"{said}, so that the dense model would have {score.value - score.difference:.6g}; it has {dense:.6g}",
        )
    gap = dense - facts.chance
    if not gap:
        yield "retained", f"is {score.retained:.6g}, and the dense model is at chance"
    elif not _same(score.retained, (score.value - facts.chance) / gap):
        yield (
            "retained",
            f"is {score.retained:.6g}; by value, chance and dense it is {(score.value - facts.chance) / gap:.6g}",
        )


def figures(point: Point) -> Mapping[str, Any]:
    """What was measured of the plan of a point: all that is not its name."""
    names = {"attention_parameters_removed", "parameters_removed", "macs", "kv_bytes_per_token", "tasks", "agreement"}
    return point.model_dump(include=names)


def of_costs(record: CellRecord) -> Iterator[Fault]:
    """A cost for a seed, once, and parameters that JSON can hold."""
    seeds, spent = {point.seed for point in record.points}, [cost.seed for cost in record.costs]
    for number, seed in enumerate(spent):
        if seed in spent[:number]:
            yield f"costs.{number}.seed", f"is {seed} a second time"
        if record.points and seed not in seeds:
            yield f"costs.{number}.seed", f"is {seed}, and no point has that seed"
    try:
        json.dumps(record.parameters, allow_nan=False)
    except ValueError:
        yield "parameters", "holds a number that is not finite"


def _same(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
