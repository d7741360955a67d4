"""What was timed: the ratio to dense by workload, where pruning begins to pay, and how near it comes to the ideal."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from headroom.results.load import DENSE
from headroom.site.book import Book
from headroom.site.charts import paper
from headroom.site.names import slug
from headroom.site.ratios import ratios, roomy
from headroom.site.series import work_words
from headroom.site.styles import FAINT, INK, look


@dataclass(frozen=True)
class Timed:
    """One method at one target on one workload: medians over the seeds that were timed."""

    method: str
    target: float
    speedup: float
    low: float
    high: float
    ideal: float
    noisy: bool
    claimed: bool


@dataclass(frozen=True)
class Workload:
    """Everything timed on one workload of one machine."""

    machine: str
    words: str
    kind: str
    dtype: str
    tokens: int  # in one call: batch times length, images count as one
    rows: list[Timed]
    dense_ms: float | None

    @property
    def pays(self) -> Timed | None:
        """The claimed speed-up at the smallest target; the fastest of them."""
        claimed = [row for row in self.rows if row.claimed and row.speedup > 1]
        return min(claimed, key=lambda row: (row.target, -row.speedup), default=None)

    @property
    def by_method(self) -> dict[str, dict[float, Timed]]:
        """Rows by method and target."""
        found: dict[str, dict[float, Timed]] = defaultdict(dict)
        for row in self.rows:
            found[row.method][row.target] = row
        return dict(found)

    @property
    def targets(self) -> list[float]:
        """Targets timed."""
        return sorted({row.target for row in self.rows})


@dataclass(frozen=True)
class SpeedView:
    """The speeds of one model."""

    model: str
    workloads: list[Workload]

    @property
    def name(self) -> str:
        """The first part of the ids of its charts."""
        return f"speed-{slug(self.model)}"

    def size_chart(self, kind: str) -> str:
        """The name of the chart of one kind of work by size."""
        return f"{self.name}-{slug(kind.replace(', ', '-'))}"

    @property
    def methods(self) -> list[str]:
        """Methods that were timed, in the order of the rows."""
        return list(dict.fromkeys(row.method for work in self.workloads for row in work.rows))

    @property
    def machines(self) -> list[str]:
        """Machines that timed it."""
        return list(dict.fromkeys(work.machine for work in self.workloads))

    @property
    def sizes(self) -> dict[str, list[Workload]]:
        """Kinds of work that the first machine timed at more than one size in one number format, smallest first."""
        kinds: dict[str, list[Workload]] = defaultdict(list)
        for work in self.workloads:
            if work.machine == self.machines[0]:
                kinds[f"{work.kind}, {work.dtype}"].append(work)
        several = {kind: works for kind, works in kinds.items() if len({work.tokens for work in works}) > 1}
        return {kind: sorted(works, key=lambda w: w.tokens) for kind, works in several.items()}


def speed_views(book: Book) -> list[SpeedView]:
    """Every model that was timed, in the order of the lists."""
    found = []
    for model in book.models:
        rows = [row for method in book.methods if method != DENSE for row in book.speeds.get((model, method), ())]
        by_work: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in rows:
            if (
                row.status == "ok"
                and row.speedup is not None
                and row.ideal is not None
                and not row.label
                and row.target
            ):
                by_work[row.machine, work_words(row)].append(row)
        if by_work:
            found.append(SpeedView(model, [_workload(*key, group) for key, group in by_work.items()]))
    return found


def _workload(machine: str, words: str, rows: list[Any]) -> Workload:
    groups: dict[tuple[str, float], list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.method, row.target].append(row)
    first = rows[0]
    tokens = (first.batch or 1) * max(first.length or 1, 1)
    timed = [_timed(*key, group) for key, group in groups.items()]
    dense = [row.dense_ms for row in rows if row.dense_ms is not None]
    return Workload(machine, words, first.work, first.dtype, tokens, timed, median(dense) if dense else None)


def _timed(method: str, target: float, rows: list[Any]) -> Timed:
    names = ("speedup", "speedup_low", "speedup_high", "ideal")
    speedup, low, high, ideal = (median(getattr(row, name) for row in rows) for name in names)
    noisy, claimed = any(row.noisy for row in rows), all(row.claimed for row in rows)
    return Timed(method, target, speedup, low, high, ideal, noisy, claimed)


@dataclass(frozen=True)
class IdealChart:
    """Measured speed-up against the ideal one; on the line nothing is lost, in the band nothing may be claimed."""

    name: str
    title: str
    rows: tuple[Timed, ...]

    def draw(self) -> Figure:
        figure, axes = paper()
        ends = [1.0, *(row.ideal for row in self.rows), *(row.speedup for row in self.rows)]
        low, high = roomy(ends)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="ideal, from work and bytes, times dense")
        ratios(axes.xaxis, ends)
        ratios(axes.yaxis, ends)
        axes.plot([low, high], [low, high], color=INK, linewidth=0.9, gid="rule-ideal")
        axes.plot([low, high], [1, 1], color=FAINT, linewidth=0.9, linestyle=":", gid="rule-one")
        for method in dict.fromkeys(row.method for row in self.rows):
            points = [(row.ideal, row.speedup) for row in self.rows if row.method == method]
            _marks(axes, f"{self.name}--{slug(method)}", method, points)
        return figure


@dataclass(frozen=True)
class SizeChart:
    """Speed-up with half of the units gone by tokens in a call: every method's line, and its ideal dotted."""

    name: str
    title: str
    works: tuple[Workload, ...]
    target: float

    def draw(self) -> Figure:
        figure, axes = paper()
        ratios(
            axes.yaxis,
            [1.0, *(ratio for work in self.works for row in work.rows for ratio in (row.speedup, row.ideal))],
        )
        axes.set_xscale("log", base=2)
        axes.set_xlabel("tokens or images in one call")
        sizes = [work.tokens for work in self.works]
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        for method in dict.fromkeys(row.method for work in self.works for row in work.rows):
            found = [(w.tokens, row) for w in self.works if (row := w.by_method.get(method, {}).get(self.target))]
            colour, name = look(method).value, f"{self.name}--{slug(method)}"
            xs = [size for size, _ in found]
            axes.plot(
                xs, [r.ideal for _, r in found], color=colour, linewidth=1, linestyle=":", gid=f"{name}--line..dot"
            )
            ys = [row.speedup for _, row in found]
            mark = look(method).marker or "o"
            axes.plot(xs, ys, color=colour, linewidth=1.4, marker=mark, markersize=4.2, gid=f"{name}--line.{mark}")
        left, right = axes.get_xlim()
        axes.plot([left, right], [1, 1], color=INK, linewidth=0.9, gid="rule-dense")
        axes.set_xlim(left, right)
        return figure


def _marks(axes: Any, name: str, method: str, points: Sequence[tuple[float, float]]) -> None:
    """As ``charts.marker``, on an axis of its own: a speed-up above the dense one is not clipped."""
    kept = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    mark = look(method).marker or "o"
    xs, ys = zip(*kept, strict=True)
    common: dict[str, Any] = {"color": look(method).value, "linewidth": 0, "clip_on": False}
    axes.plot(xs, ys, marker=mark, markersize=4.4, gid=f"{name}--marks.{mark}", **common)


def charts(views: Sequence[SpeedView]) -> list[Any]:
    """The charts of the speed page."""
    found: list[Any] = []
    for view in views:
        rows = tuple(row for work in view.workloads for row in work.rows)
        found.append(IdealChart(f"{view.name}-ideal", f"{view.model}: measured against ideal speed-up", rows))
        for kind, works in view.sizes.items():
            target = min({row.target for work in works for row in work.rows}, key=lambda one: abs(one - 0.5))
            title = f"{view.model}: speed-up by size of the call, {kind}, {target:.0%} of the units gone"
            found.append(SizeChart(view.size_chart(kind), title, tuple(works), target))
    return found
