"""What the records of one model have to say of each other: they are of the same weights, data and dense model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from math import isclose

from headroom.config.plain import shown
from headroom.results.coherence import beside, figures, good
from headroom.results.records import DENSE, CellRecord, Point, TaskScore
from headroom.results.speed_records import SpeedRecord

Cells = Mapping[str, CellRecord]  # of one model, by method
Fault = tuple[str, str, str]  # method, key, and what is wrong there


def odd_ones(cells: Cells) -> Iterator[Fault]:
    """Records that cannot be of the same model as the others.

    Methods that were named may be named again. What the others say of a record stands only if it is true of them.
    """
    out = set[str]()
    agreement = {method: cell.of_quality("agreement") for method, cell in cells.items() if cell.agreement}
    for method, key, message in [*_facts(cells), *_facts(agreement), *_dense(cells), *_dense(agreement)]:
        out.add(method)
        yield method, key, message
    yield from _scores({method: cell for method, cell in cells.items() if method not in out})
    yield from _scores({method: cell for method, cell in agreement.items() if method not in out})
    yield from _plans({method: cell for method, cell in cells.items() if method not in out})


def _facts(cells: Cells) -> Iterator[Fault]:
    """Facts of the model and its tasks, which all records repeat."""
    said: dict[str, dict[str, Hashable]] = {}
    for method, cell in cells.items():
        said.setdefault("family", {})[method] = cell.family
        for name in ("weight_hash", "device", "dtype"):
            if value := getattr(cell.provenance, name):  # of older records the last two are not known
                said.setdefault(f"provenance.{name}", {})[method] = value
        for task, facts in cell.tasks.items():
            for name, value in facts:
                if value != {}:  # of a contract: the record is older than these
                    said.setdefault(f"tasks.{task}.{name}", {})[method] = str(value) if name == "contract" else value
    for key, values in said.items():
        yield from _odd(key, values)


def _odd(key: str, values: Mapping[str, Hashable]) -> Iterator[Fault]:
    """The dense record is the reference, unless it stands alone against two others or more that agree."""
    most, count = Counter(values.values()).most_common(1)[0]
    alone = DENSE in values and sum(value == values[DENSE] for value in values.values()) == 1
    wanted, whose = values.get(DENSE, most), "the dense record" if DENSE in values else "most others"
    if alone and count > 1 and count * 2 > len(values) - 1:
        wanted, whose = most, f"{count} of the {len(values) - 1} others"
    for method, value in values.items():
        if value != wanted:
            yield method, key, f"is {shown(value)}, and {shown(wanted)} in {whose}"


def _dense(cells: Cells) -> Iterator[Fault]:
    """Is the dense record the dense model of the others? Nobody else can say what a value has to be compared with."""
    for (setting, task), own in zero(cells).items():
        said = Counter(_said(cells, setting, task))
        count = sum(said.values())
        agreed, most = said.most_common(1)[0] if said else (None, 0)
        if agreed is not None and not isclose(agreed, own.value, rel_tol=1e-5) and most > 1 and most * 2 > count:
            message = f"is {own.value:.6g}, {setting}, and {most} of the {count} others were compared with {agreed:.6g}"
            yield DENSE, f"tasks.{task}", message


def zero(cells: Cells) -> dict[tuple[str, str], TaskScore]:
    """(setting, task): the score of the dense model, at which nothing is removed."""
    points = [point for _, point in good(cells[DENSE])] if DENSE in cells else []
    whole = [point for point in points if not (point.plan or point.label or point.weights)]
    return {(point.setting, task): score for point in whole for task, score in point.tasks.items()}


def _said(cells: Cells, setting: str, task: str) -> Iterator[float]:
    """The dense value that each other record was compared with."""
    for method, cell in cells.items():
        scores = (point.tasks.get(task) for _, point in good(cell) if point.setting == setting)
        score = next((one for one in scores if one), None)
        if method != DENSE and score:
            yield _rounded(score.value - score.difference)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _scores(cells: Cells) -> Iterator[Fault]:
    """Scores that were compared with another dense model than the dense record holds."""
    for (setting, task), own in zero(cells).items():
        for method, cell in cells.items():
            points = ((key, point) for key, point in good(cell) if point.setting == setting and task in point.tasks)
            for key, point in points:
                for name, message in beside(point.tasks[task], cell.tasks[task], own.value, own.examples):
                    yield method, f"{key}.tasks.{task}.{name}", message


def _plans(cells: Cells) -> Iterator[Fault]:
    """The same plan as is was measured once, for all: whoever differs from two others or more that agree is wrong."""
    held: dict[tuple[str, int], dict[str, tuple[str, Point]]] = {}
    for method, cell in cells.items():
        for key, point in good(cell):
            if point.setting == "as is":
                held.setdefault((point.plan_hash, len(point.plan)), {}).setdefault(method, (key, point))
    for mine in held.values():
        if len(mine) < 3:
            continue
        said = {method: repr(figures(point)) for method, (_, point) in mine.items()}
        most, count = Counter(said.values()).most_common(1)[0]
        for method, (key, _) in mine.items():
            if said[method] != most and count > 1 and count * 2 > len(mine):
                yield method, key, f"has the plan of {count} others, and not what was measured of it"


def untimed(speed: SpeedRecord, cell: CellRecord) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) where a speed record is of other plans or weights than the quality record of its cell."""
    if speed.provenance.weight_hash != cell.provenance.weight_hash:
        yield "provenance.weight_hash", "is not that of the quality record"
    plans = {(p.target, p.label, p.natural, p.seed, p.plan_hash) for p in cell.points}
    for number, point in enumerate(speed.points):
        if (point.target, point.label, point.natural, point.seed, point.plan_hash) not in plans:
            what = f"target {point.target:g}, seed {point.seed}, plan {shown(point.plan_hash)}"
            yield f"points.{number}.plan_hash", f"times a plan that the quality record lacks ({what})"
            return
