"""A method's curve on one model and task: retained quality against what was removed, averaged over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from headroom.results.load import DENSE, Records
from headroom.results.records import Agreement, CellRecord, Point
from headroom.results.rows import CurveRow, Group
from headroom.results.stats import over_seeds, removable

ATTENTION = {"head", "kv_group", "attention"}
TOLERANCE = 1e-9
AXES = {"attention": "attention parameters removed", "other": "all parameters removed"}


@dataclass(frozen=True)
class Step:
    """One target, averaged over seeds."""

    place: str  # target, or the name of a point of the method's own
    natural: str  # that name; empty at the targets
    target: float
    attention: float
    parameters: float
    kv_bytes: float
    retained: float
    low: float
    high: float
    examples_low: float  # the interval over examples alone
    examples_high: float
    draws: dict[int, float]  # retained quality by seed
    flips: float | None = None  # of agreement: mean share of predictions that changed

    def share(self, group: Group) -> float:
        """What the group's axis counts as removed."""
        return self.attention if group == "attention" else self.parameters


@dataclass(frozen=True)
class Curve:
    """Steps by rising target; the first is the dense model."""

    group: Group
    steps: tuple[Step, ...]

    def shares(self) -> list[float]:
        """The removed share of every step on the group's axis."""
        return [step.share(self.group) for step in self.steps]

    def values(self, which: str = "retained") -> list[float]:
        """Retained quality of every step, or one end of its interval."""
        return [getattr(step, which) for step in self.steps]

    def seed(self, seed: int) -> list[float]:
        """Retained quality of every step for one seed."""
        return [step.draws.get(seed, step.retained) for step in self.steps]

    def until(self, target: float) -> Curve:
        """The steps up to a target: areas compare only where curves end at the same one."""
        return Curve(self.group, tuple(step for step in self.steps if step.target <= target + TOLERANCE))

    def seeds(self) -> list[int]:
        """Seeds that have every step."""
        sets = [set(step.draws) for step in self.steps[1:]]
        return sorted(set.intersection(*sets)) if sets else []


def at(shares: Sequence[float], values: Sequence[float], share: float) -> float | None:
    """A value at a removed share, between two points linear; None beyond the last point."""
    order = np.argsort(np.asarray(shares), kind="stable")
    places = np.asarray(shares, dtype=float)[order]
    if share > places[-1] + TOLERANCE:
        return None
    return float(np.interp(share, places, np.asarray(values, dtype=float)[order]))


def removable_step(curve: Curve, loss: float) -> Step:
    """The measured step that the removable share stands for; the dense one when nothing can go.

    Measured, not interpolated: a reader can have exactly this model, and its speed was timed.
    """
    shares = curve.shares()
    share = removable(shares, curve.values("low"), loss)
    return max(
        (step for step, place in zip(curve.steps, shares, strict=True) if place <= share + TOLERANCE),
        key=lambda step: step.share(curve.group),
    )


def group_of(grains: list[str]) -> Group:
    """Units of attention alone are ranked apart from those that take MLPs away too."""
    return "attention" if set(grains) <= ATTENTION else "other"


def series(record: CellRecord, task: str) -> list[Point]:
    """Scored points of the series: no floors of single kinds, no natural points outside it."""
    return [point for point in record.points if not point.label and point.status == "ok" and task in point.tasks]


def curve(record: CellRecord, task: str, dense_kv: float = 0.0) -> Curve:
    """The curve of a cell on a task; without scored points it holds the dense step only."""
    by_place: dict[str, list[Point]] = {}
    for point in series(record, task):
        if point.target > 0:
            by_place.setdefault(point.place, []).append(point)
    start = Step("0.0", "", 0.0, 0.0, 0.0, dense_kv, 1.0, 1.0, 1.0, 1.0, 1.0, {})
    steps = [_step(name, points, task) for name, points in by_place.items()]
    return Curve(group_of(record.grains), (start, *sorted(steps, key=lambda step: step.target)))


def _step(name: str, points: list[Point], task: str) -> Step:
    scores = {point.seed: point.tasks[task] for point in points}
    lows = [score.retained_low for score in scores.values()]
    highs = [score.retained_high for score in scores.values()]
    mean, low, high = over_seeds([score.retained for score in scores.values()], lows, highs)
    return Step(
        name,
        points[0].natural,
        fmean(point.target for point in points),
        fmean(point.attention_parameters_removed for point in points),
        fmean(point.parameters_removed for point in points),
        fmean(point.kv_bytes_per_token for point in points),
        mean,
        low,
        high,
        fmean(lows),
        fmean(highs),
        {seed: score.retained for seed, score in scores.items()},
        fmean(changed) if (changed := [one.flips for one in scores.values() if isinstance(one, Agreement)]) else None,
    )


def kv_of_dense(records: Records, model: str) -> float:
    """Cache bytes per token of the dense model, or 0 when no record tells."""
    for method in sorted(records.methods, key=lambda name: name != DENSE):
        record = records.cells.get((model, method))
        for point in record.points if record else ():
            if point.target == 0 and point.status == "ok":
                return float(point.kv_bytes_per_token)
    return 0.0


def curve_rows(records: Records) -> Iterator[CurveRow]:
    """Every step of every curve that has one, the dense step first."""
    for model, method in records.pairs():
        record = records.cells.get((model, method))
        if record is None or method == DENSE:
            continue
        for task in records.tasks(model):
            found = curve(record, task)
            for step in found.steps if len(found.steps) > 1 else ():
                draws = list(step.draws.values()) or [step.retained]
                values = {
                    "model": model,
                    "method": method,
                    "task": task,
                    "setting": records.setting,
                    "quality": records.quality,
                    "axis": AXES[found.group],
                    "target": step.target,
                    "natural": step.natural,
                    "share": step.share(found.group),
                    "retained": step.retained,
                    "low": step.low,
                    "high": step.high,
                    "least": min(draws),
                    "most": max(draws),
                    "middle": median(draws),
                    "seeds": len(draws),
                    "flips": step.flips,
                }
                yield CurveRow.checked(values, records.path(model, method))
