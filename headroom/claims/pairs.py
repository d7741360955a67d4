"""Retained quality of a method on shared resamples of the examples, so that two methods are compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from headroom.records import CellRecord, Setting, TaskFacts
from headroom.stats import AGGREGATES, resampled_sums
from headroom.tables.curves import Step
from headroom.tables.load import DENSE

RESAMPLES = 500
SEED = 11
Array = np.ndarray


def mean_draws(
    scores: Path | None, record: CellRecord, task: str, steps: Sequence[Step], setting: Setting
) -> Array | None:
    """Retained quality, mean over steps and seeds, on each resample, (resamples,); None without per-example scores."""
    own, dense = (_arrays(scores, record.model, name) for name in (record.method, DENSE))
    whole = next((dense[key] for key in dense if key.startswith(f"{task}/{setting}/") and key.endswith("//0.0")), None)
    keys = [[f"{task}/{setting}/{seed}//{step.place}" for step in steps] for seed in sorted(steps[0].draws)]
    if whole is None or task not in record.tasks or any(key not in own for row in keys for key in row):
        return None
    facts = record.tasks[task]
    by_seed = np.stack([np.mean([retained(own[key], whole, facts)[1] for key in row], axis=0) for row in keys])
    if len(by_seed) == 1:
        return by_seed[0]
    # the spread over seeds enters as Student's t around the mean, as in the records
    error = by_seed.mean(axis=1).std(ddof=1) / len(by_seed) ** 0.5
    generator = np.random.default_rng([SEED, *record.method.encode()])
    return by_seed.mean(axis=0) + error * generator.standard_t(len(by_seed) - 1, size=by_seed.shape[1])


def retained(stats: Array, dense: Array, facts: TaskFacts) -> tuple[float, Array]:
    """Retained quality from counts of the same examples, (examples, k): its value, and on each resample."""
    metric, sign = AGGREGATES[facts.metric], 1 if facts.better == "higher" else -1
    gap = sign * (float(metric(dense.sum(axis=0))) - facts.chance)
    gaps = np.maximum(sign * (_drawn(dense, facts.metric) - facts.chance), gap / 100)
    value = sign * (float(metric(stats.sum(axis=0))) - facts.chance) / gap
    return value, sign * (_drawn(stats, facts.metric) - facts.chance) / gaps


def _drawn(stats: Array, metric: str) -> Array:
    return _metric_draws(stats.tobytes(), stats.shape, metric)


@lru_cache(maxsize=512)  # the dense model is drawn for every other one, and BLEU takes its time
def _metric_draws(stats: bytes, shape: tuple[int, int], metric: str) -> Array:
    return AGGREGATES[metric](resampled_sums(np.frombuffer(stats).reshape(shape), RESAMPLES))


@lru_cache(maxsize=8)
def _arrays(scores: Path | None, model: str, method: str) -> dict[str, Array]:
    path = None if scores is None else scores / model / f"{method}.npz"
    if path is None or not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if file[name].ndim == 2}
