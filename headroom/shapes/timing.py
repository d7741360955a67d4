"""Time every removal of one shape, dense and removed interleaved, and write a speed record for each grain."""

from __future__ import annotations

import hashlib
import logging
from functools import cached_property
from itertools import groupby
from typing import Any

import psutil

from headroom.api import Grain
from headroom.attention import without
from headroom.measure.memory import peak_mb
from headroom.measure.speed import Removed, speed_points
from headroom.models.shapes import dense, plan
from headroom.pipeline.provenance import provenance
from headroom.results.files import read, write
from headroom.results.speed_records import Machine, SpeedPoint, SpeedRecord
from headroom.shapes.params import Device, Shape, ShapesParams, ShapeWork, Stack

logger = logging.getLogger(__name__)

TIMES = ("dense_ms", "removed_ms")  # what grows with the number of layers
COUNTS = ("dense_macs", "macs", "dense_bytes_moved", "bytes_moved")
CACHES = ("dense_kv_bytes_per_token", "kv_bytes_per_token")


class Bench:
    """A shape in one number format: the dense model, and removed ones that share its weights."""

    def __init__(self, shape: Shape, dtype: str, device: Device) -> None:
        self.shape, self.dtype, self.device = shape, dtype, device
        self.plans: dict[int, list[str]] = {}  # by the id of the model that lacks these units
        self._removed: dict[tuple[Grain, float], Removed] = {}

    @cached_property
    def dense(self) -> Any:
        return dense(self.shape.config, self.shape.purpose, self.dtype, self.device)

    def removed(self, grain: Grain, target: float) -> Removed:
        """The model without a share of its units, built once."""
        if (grain, target) not in self._removed:
            units = plan(self.dense, grain, target)
            model, words = without(self.dense, units), sorted(map(str, units))
            self.plans[id(model)] = words
            name = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
            self._removed[grain, target] = Removed(target, 0, "", name, model)
        return self._removed[grain, target]

    def footprint(self, model: Any, work: Any) -> float | None:
        """Peak memory of one of the models, built again in a process of its own."""
        source = {"config": self.shape.config, "purpose": self.shape.purpose, "dtype": self.dtype}
        return peak_mb(source | {"device": self.device, "units": self.plans.get(id(model), [])}, work)


def run(params: ShapesParams, where: str, name: str) -> list[SpeedRecord]:
    """Time a shape on this machine. A shape without a workload for it has a record that says so."""
    machine, shape = read(params.results / "machine.json", Machine), params.shape(name)
    device: Device = "cuda" if machine.accelerator else "cpu"
    load = psutil.getloadavg()[0]
    points = timed(params, name, device, machine)
    made = f"headroom stage shapes time --params {where} {name}"
    records = []
    for grain in shape.grains:
        mine = [point for of, point in points if of is grain]
        record = SpeedRecord(
            profile=params.profile,
            method=str(grain),
            model=name,
            status="ok" if mine else "unsupported",
            reason="" if mine else f"{where}: shapes.{name}.works has none for {device} that is timed here.",
            machine=machine.fingerprint,
            load_before=round(load, 2),
            load_after=round(psutil.getloadavg()[0], 2),
            points=mine,
            provenance=provenance(made, machine.fingerprint, params.run.threads, "random weights"),
        )
        write(params.work / "speed" / name / f"{grain}.json", record)
        records.append(record)
    logger.info("%s: %d timings", name, len(points))
    return records


def timed(params: ShapesParams, name: str, device: Device, machine: Machine) -> list[tuple[Grain, SpeedPoint]]:
    """All points of a shape. Works in one number format share the models; those of another are built after these."""
    shape = params.shape(name)
    found = []
    works = sorted(params.timed(name, device), key=lambda work: work.dtype or "float32")
    for dtype, group in groupby(works, lambda work: work.dtype or "float32"):
        bench = Bench(shape, dtype, device)
        for work in group:
            found += one_work(params, bench, work, machine)
    return found


def one_work(params: ShapesParams, bench: Bench, work: ShapeWork, machine: Machine) -> list[tuple[Grain, SpeedPoint]]:
    """Every removal of a shape at one workload, on one shared series of dense calls."""
    grains = work.grains or bench.shape.grains
    cells = [(grain, target) for grain in grains for target in work.targets or params.run.targets]
    entries = [bench.removed(grain, target) for grain, target in cells]
    logger.info("%s, batch %d, length %d: %d removals", work.kind, work.batch, work.length, len(entries))
    points = speed_points(bench.dense, entries, [work.plain], params.speed, machine=machine, footprint=bench.footprint)
    stack = bench.shape.stack
    return [(grain, scaled(point, stack) if stack else point) for (grain, _), point in zip(cells, points, strict=True)]


def scaled(point: SpeedPoint, stack: Stack) -> SpeedPoint:
    """A point of the whole model from one of a stack of its layers. Ratios stay as they were measured."""
    factor = stack.of / stack.layers
    values = {name: getattr(point, name) for name in (*TIMES, *COUNTS, *CACHES)}
    more: dict[str, Any] = {name: value if value is None else value * factor for name, value in values.items()}
    more |= {name: round(more[name]) for name in COUNTS if more[name] is not None}
    more["per_second"] = point.per_second / factor
    more["note"] = f"measured on {stack.layers} of {stack.of} layers, no output layer; times {factor:g}"
    return point.model_copy(update=more)
