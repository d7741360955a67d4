"""Records and models made up so that a claim holds, does not hold, or cannot be tested.

Points and records hold what a claim looks at and no more, so they are made without the checks that files go through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headroom.api import Grain, Site, Unit
from headroom.claims.estimate import Estimate
from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable
from headroom.claims.stage import claims
from headroom.results.load import Records
from headroom.results.records import CellRecord, Cost, Point, Provenance, TaskFacts, TaskScore
from headroom.results.resamples import retained
from headroom.results.speed_records import Machine, SpeedPoint, SpeedRecord

TARGETS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
FACTS = TaskFacts(version=1, metric="accuracy", better="higher", unit="%", chance=0.0, signature="", data_hash="")
SOURCE = Provenance(
    command="", commit="", dirty=False, versions={}, machine="m", threads=1, weight_hash="", date="2026-01-01"
)
MODEL, TASK = "toy", "digits"


def find(id: str, evidence: Evidence, task: str = TASK) -> Finding:
    """What the claim of this number finds."""
    return next(one for one in claims() if one.id == id).find(evidence, task)


def reason(id: str, evidence: Evidence, task: str = TASK) -> str:
    """Why the claim of this number cannot be tested; empty when it can."""
    try:
        find(id, evidence, task)
    except NotTestable as why:
        return str(why)
    return ""


def score(kept: float, half: float = 0.002) -> TaskScore:
    """Quality out of 100 with chance 0."""
    ends = {"low": 100 * (kept - half), "high": 100 * (kept + half)}
    moved = {"difference_low": 100 * (kept - 1 - half), "difference_high": 100 * (kept - 1 + half)}
    ratio = {"retained_low": kept - half, "retained_high": kept + half}
    return TaskScore(
        value=100 * kept, difference=100 * (kept - 1), retained=kept, examples=500, **ends, **moved, **ratio
    )


def point(kept: float | Mapping[str, float], target: float, units: int = 16, **more: Any) -> Point:
    """A point with its quality on one task, or on several."""
    tasks = {name: score(value) for name, value in (kept if isinstance(kept, Mapping) else {TASK: kept}).items()}
    removed = len(more["plan"]) if "plan" in more else int(target * units + 1e-9)
    shares = {"attention_parameters_removed": target, "parameters_removed": target / 2}
    known = {"status": "ok", "seed": 0, "units": units, "units_removed": removed, "tasks": tasks, "target": target}
    return Point.model_construct(**(known | shares | more))


def cell(file: str, points: Iterable[Point], grains: Sequence[str] = ("head",), **more: Any) -> CellRecord:
    """The record of an entry behind ``methods/<file>.py``; ``parameters`` and others as in the schema."""
    points = list(points)
    seeds = sorted({one.seed for one in points}) or [0]
    costs = [Cost(seed=seed, seconds=1, forward=0, backward=0, updates=0, peak_memory_mb=1) for seed in seeds]
    tasks = {name: FACTS for one in points for name in one.tasks}
    names = {"profile": "test", "method": file.replace("_", "-"), "title": file, "paper": "none", "track": "forward"}
    rest = {"summary": "", "family": "bert", "status": "ok", "model": MODEL, "grains": list(grains), "costs": costs}
    known = names | rest | {"points": points, "tasks": tasks, "file": f"methods/{file}.py", "provenance": SOURCE}
    return CellRecord.model_construct(**(known | more))


def curve(at: Callable[[float], float], seeds: int = 1, spread: float = 0.0, **more: Any) -> list[Point]:
    """A point at every target, for several seeds that differ by ``spread`` to both sides."""
    shifts = np.linspace(-spread, spread, seeds) if seeds > 1 else [0.0]
    return [
        point(at(target) + shift, target, seed=seed, **more) for seed, shift in enumerate(shifts) for target in TARGETS
    ]


def nested(order: Sequence[str], at: Callable[[float], float] = lambda share: 1 - share, **more: Any) -> list[Point]:
    """Points at the targets whose plans take up these units in turn."""
    return [
        point(at(target), target, len(order), plan=list(order[: int(target * len(order) + 1e-9)]), **more)
        for target in TARGETS
    ]


def dense(kept: float = 1.0) -> CellRecord:
    return cell("dense", [point(kept, 0.0, plan=[])])


def evidence(*cells: CellRecord, probe: Any = None, model: str = MODEL, **more: Any) -> Evidence:
    """What is known of a model with these records, the dense one among them."""
    every = [dense(), *cells] if not any(one.method == "dense" for one in cells) else list(cells)
    found = {(one.model, one.method): one for one in every}
    models = dict.fromkeys((model, *(one.model for one in every)))
    methods = tuple(dict.fromkeys(one.method for one in every))
    return Evidence(model, Records("test", Path(), methods, tuple(models), found, **more), probe)


def timed(method: str, ratios: Mapping[int, float]) -> dict[str, Any]:
    """Speed records of a method with half of its units removed: batch to speed-up."""
    common = {"target": 0.5, "seed": 0, "plan_hash": "", "work": "encode", "length": 8, "dtype": "float32", "pairs": 15}
    rest = {"dense_ms": 1, "removed_ms": 1, "ideal": 2, "per_second": 1, "noisy": False}
    points = [
        SpeedPoint(**common, **rest, batch=b, speedup=r, speedup_low=r - 0.01, speedup_high=r + 0.01, wall_speedup=r)
        for b, r in ratios.items()
    ]
    where = {"profile": "test", "method": method, "model": MODEL, "status": "ok", "machine": "m", "provenance": SOURCE}
    machine = {"fingerprint": "m", "processor": "", "cores": 1, "accelerator": "", "driver": "", "torch": ""}
    speeds = {("m", MODEL, method): SpeedRecord(**where, load_before=0, load_after=0, points=points)}
    return {"speeds": speeds, "machines": {"m": Machine(**machine, threads=1, python="", system="")}}


def heads(stack: str, kind: str, layers: int, count: int) -> list[Unit]:
    return [Unit(Site(stack, kind, layer), Grain.HEAD, head) for layer in range(layers) for head in range(count)]


class Model:
    """Stands in for a probe: 2000 examples, of which silencing units makes some wrong."""

    def __init__(
        self, units: Sequence[Unit], wrong: Callable[[set[Unit]], Any], rows: Any = None, **orders: Any
    ) -> None:
        """``wrong`` gives the examples that fail, as a count (the first ones) or places."""
        self.units, self.wrong, self.orders = tuple(units), wrong, orders
        self.tasks, self.seed, self.examples = {TASK: FACTS}, 0, 2000
        self.rows = {TASK: rows or [{"text": "a" * (1 + place % 2)} for place in range(2000)]}

    @property
    def sites(self) -> dict[Site, list[Unit]]:
        return {site: [u for u in self.units if u.site == site] for site in dict.fromkeys(u.site for u in self.units)}

    def scores(self, silent: Iterable[Unit]) -> dict[str, np.ndarray]:
        stats = np.ones((len(self.rows[TASK]), 2))
        wrong = self.wrong(set(silent))
        stats[wrong if not isinstance(wrong, int) else slice(0, wrong), 0] = 0
        return {TASK: stats}

    def kept(self, silent: Iterable[Unit], task: str) -> Estimate:
        return Estimate.of(*retained(self.scores(silent)[task], self.scores(())[task], FACTS))

    def refuse_hours(self) -> None:
        """It is small."""

    def best_heads(self) -> dict[Site, Unit]:
        return {site: units[0] for site, units in self.sites.items()}

    def order(self, method: str, parameters: Mapping[str, Any]) -> list[Unit]:
        key = "inside" if parameters.get("residual", True) else "outside"
        return list(self.orders.get(key, self.units))
