"""What can be had: every step that was measured of every method, with what it keeps, what goes, and what that buys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from headroom.results.kinds import kind_of
from headroom.results.load import DENSE
from headroom.results.records import CellRecord
from headroom.results.speeds import WORKS

Pair = tuple[str, str]  # (model, method)
Place = tuple[str, float]  # (name of a point of the method's own, or empty; target)
SHARES = ("units_removed_share", "attention_parameters_removed", "parameters_removed", "kv_bytes_per_token")


@dataclass(frozen=True)
class Timing:
    """The removed model against the dense one on one workload; ratios above 1 mean faster."""

    work: str  # encode, prefill, decode, generate or images
    batch: int
    length: int
    dtype: str
    speedup: float
    low: float
    high: float
    memory: float | None  # share of the dense model's peak memory saved, where it was measured
    predicted_memory: float | None = (
        None  # share of its predicted memory saved: weights, cache and tensors alive at once
    )

    def __str__(self) -> str:
        return f"{self.work}, batch {self.batch}" + (f", length {self.length}" if self.length else "")


@dataclass(frozen=True)
class Offer:
    """One step of one method's curve on one model and task: a smaller model that a reader can have."""

    model: str
    kind: str  # of model, see ``kinds``
    task: str
    setting: str
    quality: str
    group: str
    method: str
    title: str
    track: str
    grains: str
    target: float  # share of the units asked for
    natural: str  # name of a point of the method's own, which answers to no target
    share: float  # removed, on the axis that the group is ranked on
    units: float | None  # shares removed, counted otherwise
    attention: float | None
    parameters: float | None
    cache: float | None  # share of the self-attention cache saved
    retained: float  # of the dense model's quality as it came, and so for the ends
    low: float
    high: float
    tuned: float  # what the dense model itself keeps by the same fine-tuning; 1 as is, and where it gains
    seeds: int
    stochastic: bool  # the seeds are random draws
    ranked: bool  # the row is complete, and its dense model clear of chance
    machine: str  # of the timings; empty without any
    timings: tuple[Timing, ...]  # one for each kind of work, on its largest batch
    cost_seconds: float | None  # of pruning
    cost_examples: float | None  # passed forward and backward
    cost_updates: float | None

    @property
    def memory(self) -> float | None:
        """Share of peak memory saved, where it was measured; the most cautious of the workloads."""
        return min((one.memory for one in self.timings if one.memory is not None), default=None)

    @property
    def predicted_memory(self) -> float | None:
        """Share of the predicted memory saved; as cautious."""
        return min((one.predicted_memory for one in self.timings if one.predicted_memory is not None), default=None)


def offers(
    records: Mapping[Pair, CellRecord],
    leaderboard: Iterable[Any],
    quality: Iterable[Any],
    curves: Iterable[Any],
    throughput: Iterable[Any],
) -> list[Offer]:
    """Every step of every curve at which anything is gone, from the rows of the tables and the records behind them."""
    kinds = {model: kind_of(record) for (model, _), record in records.items() if record.tasks}
    sizes, timings = _sizes(quality), _timings(throughput)
    steps: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for step in curves:
        steps[step.model, step.method, step.task, step.setting, step.quality].append(step)
    found = []
    for row in leaderboard:
        if row.method == DENSE:
            continue
        key = (row.model, row.method, row.task, row.setting, row.quality)
        dense = sizes.get((row.model, DENSE, row.task, row.setting, row.quality), {}).get(("", 0.0), {})
        for step in steps.get(key, ()):
            if step.share > 0:
                size = sizes.get(key, {}).get(_place(step), {})
                timed = timings.get((row.machine, row.model, row.method), {}).get(_place(step), ())
                found.append(_offer(row, step, kinds.get(row.model, ""), size, dense, tuple(timed)))
    return found


def _place(thing: Any) -> Place:
    """Where a row stands in its series: by name at a point of the method's own, whose target is what one seed did."""
    return (thing.natural, 0.0) if thing.natural else ("", round(thing.target, 6))


def _sizes(quality: Iterable[Any]) -> dict[tuple[str, ...], dict[Place, dict[str, float]]]:
    """What goes at each step, the mean over seeds, by (model, method, task, setting, quality)."""
    rows: dict[tuple[str, ...], dict[Place, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in quality:
        if row.status == "ok" and not row.label and row.target is not None:
            rows[row.model, row.method, row.task, row.setting, row.quality][_place(row)].append(row)
    return {
        key: {
            place: {name: fmean(known) for name in SHARES if (known := _known(points, name))}
            for place, points in places.items()
        }
        for key, places in rows.items()
    }


def _timings(throughput: Iterable[Any]) -> dict[tuple[str, ...], dict[Place, list[Timing]]]:
    """The timings of each step by (machine, model, method): the median over seeds of each kind of work."""
    rows = [row for row in throughput if row.status == "ok" and not row.label and row.target is not None]
    rows.sort(key=_workload)
    largest = {(row.machine, row.model, row.work): _workload(row) for row in rows}  # the same for all methods
    rows = [row for row in rows if largest[row.machine, row.model, row.work] == _workload(row)]
    dense: dict[tuple[str, ...], float | None] = {
        (row.machine, row.model, row.work): row.predicted_memory_mb for row in rows if row.method == DENSE
    }
    groups: dict[tuple[str, ...], dict[Place, dict[str, list[Any]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        groups[row.machine, row.model, row.method][_place(row)].setdefault(row.work, []).append(row)
    return {
        key: {place: list(_per_work(works, dense)) for place, works in places.items()} for key, places in groups.items()
    }


def _workload(row: Any) -> tuple[int, int, str]:
    return row.batch, row.length, row.dtype


def _per_work(works: Mapping[str, list[Any]], dense: Mapping[tuple[str, ...], float | None]) -> Iterator[Timing]:
    """A timing for each kind of work; ``dense`` is the predicted memory of the dense model."""
    for work in sorted(works, key=WORKS.index):
        rows = works[work]
        speed, low, high = (median(_known(rows, name)) for name in ("speedup", "speedup_low", "speedup_high"))
        whole = dense.get((rows[0].machine, rows[0].model, work))
        peaks = [(row.memory_mb, row.dense_memory_mb) for row in rows]
        saved = _saved(peaks), _saved([(row.predicted_memory_mb, whole) for row in rows])
        yield Timing(work, *_workload(rows[0]), speed, low, high, *saved)


def _saved(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The share that is saved of (removed, dense) figures, their median; None where they are not known."""
    found = [1 - removed / whole for removed, whole in pairs if removed is not None and whole]
    return median(found) if found else None


def _offer(
    row: Any, step: Any, kind: str, size: Mapping[str, float], dense: Mapping[str, float], timed: tuple[Timing, ...]
) -> Offer:
    cache, whole = size.get("kv_bytes_per_token"), dense.get("kv_bytes_per_token")
    # A reader loses what the fine-tuning takes as well; what it gives, the dense model could have had too.
    tuned = min(1.0, 1.0 if row.dense_kept is None else row.dense_kept)
    costs = [row.cost_forward, row.cost_backward]
    return Offer(
        **{name: getattr(row, name) for name in ("model", "task", "setting", "quality", "group", "method")},
        **{name: getattr(row, name) for name in ("title", "track", "grains", "stochastic", "ranked")},
        **{name: getattr(row, name) for name in ("cost_seconds", "cost_updates")},
        **{name: getattr(step, name) for name in ("target", "natural", "share", "seeds")},
        **{name: getattr(step, name) * tuned for name in ("retained", "low", "high")},
        kind=kind,
        tuned=tuned,
        units=size.get("units_removed_share"),
        attention=size.get("attention_parameters_removed"),
        parameters=size.get("parameters_removed"),
        cache=1 - cache / whole if cache is not None and whole else None,
        machine=row.machine if timed else "",
        timings=timed,
        cost_examples=None if None in costs else sum(costs),
    )


def _known(rows: Iterable[Any], name: str) -> list[float]:
    return [value for row in rows if (value := getattr(row, name)) is not None]
