"""Time the removed models of a cell against the dense one, on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import psutil

from headroom.api import Unit
from headroom.config.params import Params
from headroom.pipeline.provenance import provenance
from headroom.results.records import CellRecord, Machine, Point, SpeedPoint, SpeedRecord, read, write

logger = logging.getLogger(__name__)


def chosen(record: CellRecord, targets: tuple[float, ...]) -> list[Point]:
    """The points to time, of the first seed: those at the targets of ``speed``, and the dense model's own.

    Of a method with points of its own, those count whose removed share comes nearest to the targets. Fine-tuning
    changes no speed: of a plan that was scored as is and recovered, the first point stands for both.
    """
    first = min((point.seed for point in record.points), default=0)
    series = [one for one in record.points if one.status == "ok" and not one.label and one.seed == first]
    own = [one for one in series if one.natural]
    found = [one for one in series if not one.natural and one.target in (0.0, *targets)]
    found += [min(own, key=lambda one: abs(share(one) - target)) for target in targets if own]
    once = {(one.target, one.natural): one for one in reversed(found)}
    return sorted(once.values(), key=lambda one: (one.target, one.natural))


def share(point: Point) -> float:
    return point.units_removed / point.units if point.units else 0.0


def run(params: Params, where: str, method: str, model: str, ready: Callable[[], None]) -> SpeedRecord:
    """Time a cell and write its record. A cell without quality has no speed, and says the same why.

    ``ready`` is called before torch is needed, which it is not where there is nothing to time.
    """
    quality = read(params.quality_record(model, method), CellRecord)
    here = read(params.machine, Machine)
    points = chosen(quality, params.speed.targets)
    load_before = psutil.getloadavg()[0]
    if points:
        ready()
    timed = time_points(params, model, points, here) if points else []
    record = SpeedRecord(
        profile=params.profile,
        method=method,
        model=model,
        status="ok" if points else quality.status if quality.status != "ok" else "failed",
        reason="" if points else quality.reason or "no point could be measured",
        machine=here.fingerprint,
        load_before=round(load_before, 2),
        load_after=round(psutil.getloadavg()[0], 2),
        points=timed,
        provenance=provenance(
            f"headroom stage speed --params {where} {method} {model}",
            here.fingerprint,
            params.run.threads,
            quality.provenance.weight_hash,
        ),
    )
    write(params.speed_record(model, method), record)
    logger.info("%s on %s: %d timings", method, model, len(timed))
    return record


def time_points(params: Params, model: str, points: list[Point], machine: Machine) -> list[SpeedPoint]:
    """The timings of every workload that ``params.yaml: speed.works`` lists for the model's purpose."""
    from headroom.measure.speed import Removed, speed_points
    from headroom.pipeline.bench import Bench

    bench = Bench(Path(params.model_folder(model)))
    works = params.speed.works.get(bench.prepared.purpose, ())
    removed = [
        Removed(
            point.target,
            point.seed,
            point.label,
            point.plan_hash,
            bench.removed([Unit.parse(text) for text in point.plan], point.weights),
            point.natural,
        )
        for point in points
    ]
    return speed_points(bench.prepared.model, removed, works, params.speed, machine=machine)
