"""A method's curve with every axis that a reader can choose: what went, counted in five ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from headroom.errors import UserError
from headroom.results.quality import FLOOR
from headroom.site.book import Book, own_name
from headroom.site.names import slug
from headroom.site.styles import look

Place = float | str  # a target, or the name of a point of the method's own
AXES = {
    "units": "units removed, %",
    "attention": "attention parameters removed, %",
    "parameters": "all parameters removed, %",
    "macs": "multiply-accumulates removed, %",
    "speed": "measured speed, times dense",
}
COLUMNS = {
    "units": "units_removed_share",
    "attention": "attention_parameters_removed",
    "parameters": "parameters_removed",
}


@dataclass(frozen=True)
class Stop:
    """One point of a curve, averaged over seeds. A share that is not known is None."""

    target: float | None
    name: str  # of a point of the method's own; empty at the targets
    shares: dict[str, float | None]
    retained: float
    low: float
    high: float
    least: float
    most: float
    middle: float
    seeds: int


@dataclass(frozen=True)
class Series:
    """A method's points on one task, by what is removed; the first is the dense model."""

    method: str
    title: str
    stochastic: bool
    stops: tuple[Stop, ...]
    natural: tuple[Stop, ...]  # points outside the series

    @property
    def key(self) -> str:
        """The method in ids and attributes."""
        return slug(self.method)


def series_of(book: Book, model: str, task: str, setting: str, rows: Sequence[Any]) -> dict[str, Series]:
    """The series of leaderboard rows that have a curve, by method in the order of the rows."""
    curves: dict[str, list[Any]] = defaultdict(list)
    for row in book.curves.get((model, task), ()):
        if row.setting == setting and rows and row.quality == rows[0].quality:
            curves[row.method].append(row)
    found = {}
    for row in rows:
        if row.method in curves:
            found[row.method] = _series(book, model, task, setting, row, curves[row.method])
    return found


def _series(book: Book, model: str, task: str, setting: str, row: Any, steps: list[Any]) -> Series:
    quality = [
        r
        for r in book.quality.get((model, row.method), ())
        if r.task == task and (r.setting, r.quality) == (setting, row.quality) and r.status == "ok"
    ]
    points: dict[Place, list[Any]] = defaultdict(list)
    for point in quality:
        if not point.label:
            points[_place(point)].append(point)
    fast = measured(book, model, row.method)
    stops = []
    for step in steps:
        if step.target and _place(step) not in points:
            raise UserError(
                f"{book.folder / 'curves.csv'}: {row.method} on {model} has a step at {_place(step)} that quality.csv "
                "does not hold: tables of different runs, or of an older Headroom. Run `dvc repro collect`, or "
                "`headroom stage collect`, to make them again."
            )
        stops.append(_stop(step, _place(step), points.get(_place(step), []), row.group, fast))
    outside = [p for p in quality if p.label and not p.label.startswith(FLOOR) and p.retained is not None]
    natural = tuple(_alone(p) for p in outside)
    return Series(row.method, book.titles[row.method], row.stochastic, tuple(stops), natural)


def _place(thing: Any) -> Place:
    """Where a quality or curve row stands in its series. A natural point that removed nothing stands at dense."""
    return (own_name(thing) if thing.target else "") or thing.target


def _stop(step: Any, place: Place, points: list[Any], group: str, fast: dict[Place, float]) -> Stop:
    shares: dict[str, float | None] = {}
    for axis, column in COLUMNS.items():
        values = [value for point in points if (value := getattr(point, column)) is not None]
        shares[axis] = fmean(values) if values else (0.0 if step.target == 0 else None)
    work = [point.macs for point in points if point.macs is not None]
    shares["macs"] = 1 - fmean(work) if work else (0.0 if step.target == 0 else None)
    shares["attention" if group == "attention" else "parameters"] = step.share
    shares["speed"] = 1.0 if step.target == 0 else fast.get(place)
    names = ("retained", "low", "high", "least", "most", "middle", "seeds")
    name = place if isinstance(place, str) else ""
    return Stop(step.target, name, shares, **{each: getattr(step, each) for each in names})


def _alone(point: Any) -> Stop:
    shares: dict[str, float | None] = {axis: getattr(point, column) for axis, column in COLUMNS.items()}
    shares |= {"macs": None if point.macs is None else 1 - point.macs, "speed": None}
    kept = point.retained
    return Stop(point.target, point.label, shares, kept, point.retained_low, point.retained_high, kept, kept, kept, 1)


def work_words(row: Any) -> str:
    """A workload as the leaderboard names it."""
    return f"{row.work}, batch {row.batch}" + (f", length {row.length}" if row.length else "") + f", {row.dtype}"


def measured(book: Book, model: str, method: str, machine: str = "") -> dict[Place, float]:
    """Median measured speed-up by target on the model's main workload; of the main machine where none is named."""
    main, work = book.main(model)
    found: dict[Place, list[float]] = defaultdict(list)
    for row in book.speeds.get((model, method), ()):
        fits = row.status == "ok" and row.machine == (machine or main) and not row.label
        if fits and row.speedup is not None and work_words(row) == work:
            found[own_name(row) or row.target].append(row.speedup)
    return {target: median(values) for target, values in found.items()}


def front(points: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Points (speed, quality, method) that no other one beats in both: the Pareto front, fastest last."""
    best: list[tuple[float, float, str]] = []
    for point in sorted(points, key=lambda p: (-p[0], -p[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best[::-1]


def for_scripts(panel_axis: str, series: Iterable[Series]) -> dict[str, Any]:
    """The numbers of a chart for the scripts: per cent with one digit, speeds with two."""
    return {"x": panel_axis, "axes": AXES, "m": {one.key: _packed(one) for one in series}}


def _packed(one: Series) -> dict[str, Any]:
    style = look(one.method)
    stops = one.stops
    found: dict[str, Any] = {
        "n": one.title,
        "c": style.colour + 1,
        "k": style.marker,
        "d": style.dash,
        "t": [stop.name or _cent(stop.target) for stop in stops],
        "x": {axis: [_share(axis, stop) for stop in stops] for axis in AXES},
        "y": [_cent(stop.retained) for stop in stops],
        "l": [_cent(stop.low) for stop in stops],
        "h": [_cent(stop.high) for stop in stops],
    }
    if one.stochastic:
        found["b"] = [[_cent(stop.least), _cent(stop.middle), _cent(stop.most)] for stop in stops]
    if one.natural:
        found["o"] = [
            [stop.name, {axis: _share(axis, stop) for axis in AXES}, _cent(stop.retained)] for stop in one.natural
        ]
    return found


def _share(axis: str, stop: Stop) -> float | None:
    value = stop.shares[axis]
    return value if value is None else round(value, 2) if axis == "speed" else _cent(value)


def _cent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 1)
