"""Areas of all methods on the same resamples of the examples, so that their differences are paired."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headroom.records import CellRecord, TaskFacts
from headroom.stats import AGGREGATES, resampled_sums
from headroom.tables.curves import Curve
from headroom.tables.load import DENSE, Records

RESAMPLES = 500
SEED = 7
Arrays = dict[str, np.ndarray]


def area_draws(records: Records, model: str, task: str, rows: Sequence[tuple[str, Curve]]) -> np.ndarray | None:
    """Area of each (method, curve) on each resample, shape (rows, resamples); None without per-example statistics.

    The spread over calibration seeds enters as Student's t around the mean, as in the intervals of the records.
    """
    dense, facts = _arrays(records, model, DENSE), _facts(records, model, task)
    key = next((name for name in dense if name.startswith(f"{task}/{records.setting}/") and name.endswith("//0.0")), "")
    if facts is None or facts.metric not in AGGREGATES or key not in dense:
        return None
    base = _values(dense[key], facts)
    sign = 1 if facts.better == "higher" else -1
    whole = sign * (_metric(dense[key].sum(axis=0)[None], facts)[0] - facts.chance)
    gap = np.maximum(sign * (base - facts.chance), whole / 100)
    found = []
    for place, (method, curve) in enumerate(rows):
        kept = _retained(_arrays(records, model, method), f"{task}/{records.setting}", curve, facts, sign, gap)
        if kept is None:
            return None
        generator = np.random.default_rng([SEED, place])
        found.append(_areas(curve, kept, generator))
    return np.stack(found)


def _areas(curve: Curve, kept: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Areas from retained quality of shape (seeds, steps, resamples), the mean over seeds and their spread."""
    shares = np.asarray(curve.shares())
    order = np.argsort(shares, kind="stable")
    by_seed = np.trapezoid(np.clip(kept, 0.0, None)[:, order], shares[order], axis=1)
    mean, count = by_seed.mean(axis=0), len(by_seed)
    if count == 1:
        return mean
    error = by_seed.mean(axis=1).std(ddof=1) / count**0.5
    return mean + error * generator.standard_t(count - 1, size=mean.shape)


def _retained(
    arrays: Arrays, series: str, curve: Curve, facts: TaskFacts, sign: int, gap: np.ndarray
) -> np.ndarray | None:
    seeds = []
    for seed in curve.seeds():
        steps = [np.ones_like(gap)]
        for step in curve.steps[1:]:
            stats = arrays.get(f"{series}/{seed}//{step.place}")
            if stats is None:
                return None
            steps.append(sign * (_values(stats, facts) - facts.chance) / gap)
        seeds.append(np.stack(steps))
    return np.stack(seeds) if seeds else None


def _metric(sums: np.ndarray, facts: TaskFacts) -> np.ndarray:
    return np.asarray(AGGREGATES[facts.metric](sums))


def _values(stats: np.ndarray, facts: TaskFacts) -> np.ndarray:
    """The metric on each resample. The same number of examples draws the same resamples, which is what pairs them."""
    return _metric(resampled_sums(stats, RESAMPLES), facts)


def _arrays(records: Records, model: str, method: str) -> Arrays:
    path = None if records.scores is None else Path(records.scores) / model / f"{method}.npz"
    if path is None or not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if file[name].ndim == 2}


def _facts(records: Records, model: str, task: str) -> TaskFacts | None:
    cells: list[CellRecord] = [cell for (name, _), cell in records.cells.items() if name == model]
    return next((cell.tasks[task] for cell in cells if task in cell.tasks), None)
