"""Time the removed models of a cell against the dense one, on this machine."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil

from headroom.api import Unit
from headroom.measure import speed_points
from headroom.params import Params
from headroom.provenance import provenance
from headroom.records import CellRecord, Machine, Point, SpeedRecord, read, write
from headroom.stages.bench import Bench

logger = logging.getLogger(__name__)


def chosen(record: CellRecord, targets: tuple[float, ...]) -> list[Point]:
    """The points to time: those of the first seed at the targets of ``speed``, and the dense point of ``dense``."""
    first = min((point.seed for point in record.points), default=0)
    good = [point for point in record.points if point.status == "ok" and not point.label and point.seed == first]
    if record.natural:
        good = [min(good, key=lambda point: abs(point.target - target)) for target in targets if good]
    else:
        good = [point for point in good if point.target in (0.0, *targets)]
    return list({point.plan_hash: point for point in good}.values())  # recovered weights run no faster


def run(params: Params, where: str, method: str, model: str) -> SpeedRecord:
    """Time a cell and write its record. A cell without quality has no speed, and says the same why."""
    quality = read(params.quality_record(model, method), CellRecord)
    machine = read(params.machine, Machine).fingerprint
    points = chosen(quality, params.speed.targets)
    load_before = psutil.getloadavg()[0]
    timed = time_points(params, model, points) if points else []
    record = SpeedRecord(
        profile=params.profile,
        method=method,
        model=model,
        status="ok" if points else quality.status if quality.status != "ok" else "failed",
        reason="" if points else quality.reason or "no point could be measured",
        machine=machine,
        load_before=round(load_before, 2),
        load_after=round(psutil.getloadavg()[0], 2),
        points=timed,
        provenance=provenance(
            f"headroom stage speed --params {where} {method} {model}",
            machine,
            params.run.threads,
            quality.provenance.weight_hash,
        ),
    )
    write(params.speed_record(model, method), record)
    logger.info("%s on %s: %d timings", method, model, len(timed))
    return record


def time_points(params: Params, model: str, points: list[Point]) -> list:
    bench = Bench(Path(params.model_folder(model)))
    works = params.speed.works.get(bench.prepared.purpose, ())
    removed = [
        (
            point.target,
            point.seed,
            point.label,
            point.plan_hash,
            bench.removed([Unit.parse(text) for text in point.plan], point.weights),
        )
        for point in points
    ]
    return speed_points(bench.prepared.model, removed, works, params.speed)
