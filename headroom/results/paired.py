"""Areas of all methods on the same resamples of the examples, so that their differences are paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headroom.results.curves import Curve
from headroom.results.load import Records
from headroom.results.records import TaskFacts
from headroom.results.resamples import Array, Counts, with_spread

SEED = 7


def area_draws(records: Records, model: str, task: str, rows: Sequence[tuple[str, Curve]]) -> Array | None:
    """Area of each (method, curve) on each resample, shape (rows, resamples); None without per-example statistics."""
    facts = _facts(records, model, task)
    if facts is None:
        return None
    counts = Counts(records.scores, model, task, records.setting, facts)
    found = []
    for place, (method, curve) in enumerate(rows):
        kept = counts.kept(method, curve.seeds(), curve.steps[1:])
        if kept is None:
            return None
        found.append(with_spread(_areas(curve, kept), np.random.default_rng([SEED, place])))
    return np.stack(found)


def _areas(curve: Curve, kept: Array) -> Array:
    """Area of each seed on each resample, (seeds, resamples), from all steps but the dense one, (seeds, steps, ...)."""
    shares = np.asarray(curve.shares())
    order = np.argsort(shares, kind="stable")
    whole = np.concatenate([np.ones_like(kept[:, :1]), np.clip(kept, 0.0, None)], axis=1)
    return np.trapezoid(whole[:, order], shares[order], axis=1)


def _facts(records: Records, model: str, task: str) -> TaskFacts | None:
    cells = (cell for (name, _), cell in records.cells.items() if name == model)
    return next((cell.tasks[task] for cell in cells if task in cell.tasks), None)
