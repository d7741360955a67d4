"""Figures that papers published, beside ours and never in our ranking.

``results/reference/published.csv`` holds them with their table. What can be drawn is a figure of quality with the
paper's own dense figure beside it: their ratio is what was kept. Chance is not taken off, since papers do not give it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from matplotlib.figure import Figure

from headroom.config.project import root
from headroom.results.curves import at
from headroom.site.charts import marker, paper, quality_axis
from headroom.site.series import Series
from headroom.site.styles import look

FILE = "results/reference/published.csv"
HIGHER = ("accuracy_pct", "accuracy", "top1_pct", "BLEU", "BLEU_tok", "BLEU_detok", "retention_pct")
CONTROLS = (
    "random",
    "reverse",
    "relative_magnitude",
    "without",
    "+AWQ",
    "shortened",
)  # scopes of a paper's comparisons
COMPONENTS = {"head": "heads", "kv_group": "heads", "attention": "attention", "mlp": "mlp", "block": "block"}


@dataclass(frozen=True)
class Published:
    """One row of a paper's table."""

    paper: str
    arxiv: str
    model: str
    task: str
    metric: str
    component: str
    scope: str
    share: float | None  # of the units that the paper counts
    quality: float | None
    dense: float | None
    speedup: float | None
    source: str
    verified: str

    @property
    def kept(self) -> float | None:
        """Quality as a share of the paper's own dense figure; None where a ratio means nothing."""
        if self.quality is None or not self.dense or self.metric not in HIGHER:
            return None
        return self.quality / self.dense


def read_published(folder: Path | None = None) -> tuple[Published, ...]:
    """All published figures; none when the file is not there."""
    return _read((folder or root()) / FILE)


@cache  # by file: one process may build the pages of more than one project
def _read(path: Path) -> tuple[Published, ...]:
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_row(row) for row in csv.DictReader(file)]
    dense = {(row.model, row.task, row.metric): row.dense for row in rows if row.share == 0 and row.dense}
    return tuple(_absolute(row, dense) for row in rows)


def _absolute(row: Published, dense: dict[tuple[str, str, str], float]) -> Published:
    """A printed change as a figure, where the paper prints the dense one too."""
    metric = row.metric.removeprefix("delta_")
    whole = dense.get((row.model, row.task, metric))
    if metric == row.metric or whole is None or row.quality is None:
        return row
    return replace(row, metric=metric, quality=whole + row.quality, dense=whole)


def _row(row: dict[str, str]) -> Published:
    words = {name: row[name] for name in ("paper", "arxiv", "model", "task", "metric", "component", "scope")}
    return Published(
        **words,
        share=_number(row["sparsity"]),
        quality=_number(row["quality"]),
        dense=_number(row["baseline_quality"]),
        speedup=_number(row["speedup"]),
        source=row["source"],
        verified=row["verified"],
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def published_of(paper: str, grains: Iterable[str]) -> list[Published]:
    """Figures of a method's paper for the units that the method removes; ``paper`` is an arXiv identifier."""
    name = paper.rpartition(":")[2]
    wanted = {COMPONENTS.get(grain, grain) for grain in grains}
    wanted = {"joint"} if {"attention", "mlp"} <= wanted else wanted
    return [row for row in read_published() if name and row.arxiv == name and row.component in wanted]


def drawable(rows: Sequence[Published]) -> list[Published]:
    """The method's own rows with a share and a ratio; averages over tasks where a paper gives them, else every task."""
    own = [row for row in rows if not any(word in row.scope for word in CONTROLS)]
    able = [row for row in own if row.share and row.kept is not None and 0 < row.share <= 1]
    models = {row.model for row in able if "average" in row.task}
    return [row for row in able if "average" in row.task or row.model not in models]


@dataclass(frozen=True)
class Beside:
    """A published figure and what our models keep at the same share."""

    row: Published
    low: float | None  # the least and the most of our models
    high: float | None
    models: int

    @property
    def difference(self) -> float | None:
        """The middle of ours minus the published share kept."""
        if self.low is None or self.high is None or self.row.kept is None:
            return None
        return (self.low + self.high) / 2 - self.row.kept


def beside(rows: Sequence[Published], ours: Sequence[Series]) -> list[Beside]:
    """Each published figure with ours at the same share of units, between two points linear."""
    found = []
    for row in rows:
        values = [value for one in ours if row.share is not None and (value := _ours(one, row.share)) is not None]
        found.append(Beside(row, min(values, default=None), max(values, default=None), len(values)))
    return found


def _ours(one: Series, share: float) -> float | None:
    known = [(place, stop.retained) for stop in one.stops if (place := stop.shares["units"]) is not None]
    return at([place for place, _ in known], [kept for _, kept in known], share) if known else None


@dataclass(frozen=True)
class PublishedChart:
    """Our curves of a method on all models, thin, and the published figures as hollow marks."""

    name: str
    title: str
    method: str
    ours: tuple[Series, ...]
    points: tuple[tuple[float, float], ...]

    def draw(self) -> Figure:
        figure, axes = paper()
        quality_axis(axes, (0.0, 1.0), 0.0, "units removed, %")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        for place, one in enumerate(self.ours):
            known = [
                (share, max(0.0, stop.retained)) for stop in one.stops if (share := stop.shares["units"]) is not None
            ]
            gid = f"{self.name}--ours{place}--thin"
            axes.plot(*zip(*known, strict=True), color=look(self.method).value, linewidth=1, alpha=0.5, gid=gid)
        marker(axes, f"{self.name}--published", self.method, self.points, hollow=True)
        return figure
