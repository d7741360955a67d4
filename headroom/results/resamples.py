"""Quality and areas on shared resamples of the evaluation examples, so that two methods are compared in pairs.

The same number of examples draws the same resamples for every method, which is what pairs them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from headroom.errors import UserError
from headroom.results.aggregates import AGGREGATES
from headroom.results.board_rows import PairRow
from headroom.results.curves import Curve, Step, at
from headroom.results.load import DENSE, Records
from headroom.results.records import Quality, Setting, TaskFacts
from headroom.results.stats import percentiles, resampled_sums

RESAMPLES = 500
SEED = 7  # of the spread over seeds, which is drawn apart for every row
Array = np.ndarray
Arrays = dict[str, Array]  # task/setting/seed/label/place: counts of a point, (examples, k)


@dataclass(frozen=True)
class Counts:
    """The per-example counts of one model, task and setting; ``folder`` holds model/method.npz."""

    folder: Path | None
    model: str
    task: str
    setting: Setting
    facts: TaskFacts
    quality: Quality = "task"

    def kept(self, method: str, seeds: Sequence[int], steps: Sequence[Step]) -> Array | None:
        """Retained quality on each resample, (seeds, steps, resamples).

        None where the dense model or a step of a seed has no counts, or the metric is no sum over examples.
        """
        own, dense = arrays(self.folder, self.model, method), self.dense()
        keys = [[f"{self.start}{seed}//{step.place}" for step in steps] for seed in seeds]
        whole = bool(keys) and all(key in own for row in keys for key in row)
        if dense is None or not whole or self.facts.metric not in AGGREGATES:
            return None
        return np.array([[retained(own[key], dense, self.facts)[1] for key in row] for row in keys])

    def dense(self) -> Array | None:
        """Counts of the dense model, (examples, k); None where there are none."""
        found = arrays(self.folder, self.model, DENSE)
        return next((found[key] for key in found if key.startswith(self.start) and key.endswith("//0.0")), None)

    @property
    def start(self) -> str:
        """With what the names of the counts of a view begin."""
        return f"{counted(self.task, self.quality)}/{self.setting}/"


def counted(task: str, quality: Quality) -> str:
    """What the counts of a task are called in the file of scores; no task's name has a space."""
    return task if quality == "task" else f"{task} {quality}"


def retained(stats: Array, dense: Array, facts: TaskFacts) -> tuple[float, Array]:
    """Retained quality from counts of the same examples, (examples, k): its value, and on each resample."""
    metric, sign = AGGREGATES[facts.metric], 1 if facts.better == "higher" else -1
    gap = sign * (float(metric(dense.sum(axis=0))) - facts.chance)
    # a resample in which the dense model falls to chance says "anything": its sign is kept, as in stats.task_score
    gaps = np.maximum(sign * (_drawn(dense, facts.metric) - facts.chance), gap / 100)
    value = sign * (float(metric(stats.sum(axis=0))) - facts.chance) / gap
    return value, sign * (_drawn(stats, facts.metric) - facts.chance) / gaps


def with_spread(by_seed: Array, generator: np.random.Generator) -> Array:
    """The mean over seeds on each resample, (resamples,), from one figure per seed, (seeds, resamples).

    The spread over seeds enters as Student's t around the mean, as in the intervals of the records.
    """
    mean, count = by_seed.mean(axis=0), len(by_seed)
    if count == 1:
        return mean
    error = by_seed.mean(axis=1).std(ddof=1) / count**0.5
    return mean + error * generator.standard_t(count - 1, size=mean.shape)


@dataclass(frozen=True)
class Draws:
    """What rows ranked together reached on each of the same resamples, (rows, resamples)."""

    areas: Array
    kept: Mapping[float, Array]  # by share removed: retained quality there; NaN beyond the last point of a row


def draws_of(
    records: Records, model: str, task: str, rows: Sequence[tuple[str, Curve]], shares: Sequence[float] = ()
) -> Draws | None:
    """What each (method, curve) reached on each resample; None without per-example statistics."""
    cells = (cell for (name, _), cell in records.cells.items() if name == model)
    facts = next((cell.tasks[task] for cell in cells if task in cell.tasks), None)
    if facts is None:
        return None
    counts = Counts(records.scores, model, task, records.setting, facts, records.quality)
    areas: list[Array] = []
    found: dict[float, list[Array]] = {share: [] for share in shares}
    for place, (method, curve) in enumerate(rows):
        kept = counts.kept(method, curve.seeds(), curve.steps[1:])
        if kept is None:
            return None
        whole = np.concatenate([np.ones_like(kept[:, :1]), kept], axis=1)  # with the dense step
        areas.append(with_spread(_areas(curve, whole), np.random.default_rng([SEED, place])))
        for share in shares:
            found[share].append(with_spread(_between(curve, whole, share), np.random.default_rng([SEED, place])))
    return Draws(np.stack(areas), {share: np.stack(draws) for share, draws in found.items()})


def _areas(curve: Curve, kept: Array) -> Array:
    """Area of each seed on each resample, (seeds, resamples), from all steps, (seeds, steps, resamples)."""
    shares = np.asarray(curve.shares())
    order = np.argsort(shares, kind="stable")
    return np.trapezoid(np.clip(kept, 0.0, None)[:, order], shares[order], axis=1)


def _between(curve: Curve, kept: Array, share: float) -> Array:
    """Retained quality at a share removed, as ``curves.at`` has it of one curve, (seeds, resamples)."""
    steps = np.eye(len(curve.steps))
    weights = [at(curve.shares(), step.tolist(), share) for step in steps]
    if None in weights:
        return np.full(kept[:, 0].shape, np.nan)
    return np.einsum("p,spr->sr", np.asarray(weights, dtype=float), kept)


def pair_rows(members: Sequence[Mapping[str, Any]], draws: Array | None) -> Iterator[PairRow]:
    """One row for each two rows ranked together; ``draws`` are their areas, shape (members, resamples).

    Without per-example statistics there are no draws and no rows: intervals that are not paired stand on the page.
    """
    if draws is None:
        return
    for better, other in combinations(range(len(members)), 2):
        one, two = members[better], members[other]
        gap = one["area"] - two["area"]
        low, high = percentiles(draws[better] - draws[other], gap)
        names = {name: one[name] for name in ("model", "task", "setting", "quality", "group", "method")}
        yield PairRow(**names, other=two["method"], difference=gap, difference_low=low, difference_high=high)


def arrays(folder: Path | None, model: str, method: str) -> Arrays:
    """Counts per example of all points of a method; none without its file."""
    path = None if folder is None else folder / model / f"{method}.npz"
    return {} if path is None or not path.is_file() else _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, written: int) -> Arrays:
    """``written`` is the time of the file: one that was scored again is read again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name].astype(float) for name in file.files if file[name].ndim == 2}
    except (AttributeError, EOFError, KeyError, ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
        said = str(error) or type(error).__name__
        raise UserError(
            f"{path}: holds no scores ({said}). Delete it and run `dvc repro measure`, or that stage of the profile's "
            "own dvc.yaml: finished points are in the journal, so only the file is written again."
        ) from None


def _drawn(stats: Array, metric: str) -> Array:
    return _metric_draws(stats.astype(float).tobytes(), stats.shape, metric)


@lru_cache(maxsize=512)  # the dense model is drawn for every other one, and BLEU takes its time
def _metric_draws(stats: bytes, shape: tuple[int, int], metric: str) -> Array:
    return AGGREGATES[metric](resampled_sums(np.frombuffer(stats).reshape(shape), RESAMPLES))
