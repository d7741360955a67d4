"""Retained quality of a method as draws, so that two methods of a claim are compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headroom.results.curves import Step
from headroom.results.records import CellRecord, Setting
from headroom.results.resamples import Array, Counts, with_spread

SEED = 11


def mean_draws(
    scores: Path | None, record: CellRecord, task: str, steps: Sequence[Step], setting: Setting
) -> Array | None:
    """Retained quality, mean over steps and seeds, on each resample, (resamples,); None without per-example scores."""
    if task not in record.tasks:
        return None
    counts = Counts(scores, record.model, task, setting, record.tasks[task])
    kept = counts.kept(record.method, sorted(steps[0].draws), steps)
    if kept is None:
        return None
    return with_spread(kept.mean(axis=1), np.random.default_rng([SEED, *record.method.encode()]))
