"""What is ranked and drawn together: the rows of one task, setting and group of units."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from headroom.results.load import DENSE
from headroom.results.records import Quality, TaskFacts
from headroom.site.answers import Answer, answer
from headroom.site.book import SETTINGS, Book
from headroom.site.names import cell_page, panel_name, slug
from headroom.site.qualities import QUALITIES, WORDS, Words
from headroom.site.series import Series, front, series_of

GROUPS = {
    "attention": ("Attention units", "heads, KV groups, attention sublayers", "attention"),
    "other": ("Other units", "MLPs, blocks, both kinds of sublayer together", "parameters"),
}


@dataclass(frozen=True)
class Panel:
    """Rows of one group and setting on one task, and their curves."""

    name: str  # unique in the site; ids begin with it
    model: str
    task: str
    setting: str
    group: str
    quality: Quality
    title: str
    words: str
    axis: str
    rows: list[Any]
    series: dict[str, Series]

    @property
    def targets(self) -> list[Any]:
        """What the table under the chart has columns for: targets that any series holds."""
        found = {stop.target for one in self.series.values() for stop in one.stops if not stop.name}
        return sorted(target for target in found if target)

    @property
    def visible(self) -> Any | None:
        """A row that says what difference the group could have shown; older tables do not say."""
        return next((row for row in self.rows if row.visible_area is not None), None)

    @property
    def tuned(self) -> float | None:
        """What the dense model itself keeps by the fine-tuning of the setting; None as is, and in older tables."""
        known = (row.dense_kept for row in self.rows if row.dense_kept is not None)
        return None if self.setting == "as is" else next(known, None)

    @property
    def grains(self) -> list[str]:
        """Kinds of units that the rows remove."""
        return sorted({row.grains for row in self.rows if row.grains})


@dataclass(frozen=True)
class CellView:
    """One model and task: its answer, its panels, and what stands beside them."""

    name: str
    model: str
    task: str
    quality: Quality
    facts: TaskFacts | None
    family: str
    dense: Any | None  # quality row
    answer: Answer
    panels: list[Panel]
    floors: list[Any]
    troubles: list[tuple[str, str, str]]  # method, status, reason
    timed: tuple[str, str]  # machine, workload
    changed: dict[tuple[str, str], tuple[float, float]]  # of agreement, by (setting, method): flips and KL, half gone

    @property
    def page(self) -> str:
        """Where its page lies."""
        return cell_page(self.model, self.task, self.quality)

    @property
    def says(self) -> Words:
        """What its quality is called."""
        return WORDS[self.quality]

    def pareto(self, setting: str) -> list[tuple[float, float, str]]:
        """(speed, quality, method) of every timed point of a setting, units of all groups together."""
        chosen = [one for panel in self.panels if panel.setting == setting for one in panel.series.values()]
        return [
            (stop.shares["speed"], stop.retained, one.method)
            for one in chosen
            for stop in one.stops
            if stop.shares["speed"] is not None and stop.target != 0
        ]

    def front(self, setting: str) -> set[str]:
        """Methods with a point on the Pareto front of quality against measured speed; the dense model is on it too."""
        return {method for _, _, method in front([(1.0, 1.0, ""), *self.pareto(setting)])}

    @property
    def settings(self) -> list[str]:
        """Settings that have rows, in their fixed order."""
        return list(dict.fromkeys(panel.setting for panel in self.panels))


def cell_view(book: Book, model: str, task: str, quality: Quality = QUALITIES[0]) -> CellView:
    """Gather what the page of a model and task shows of one quality."""
    rows = [row for row in book.board[model, task] if row.method != DENSE and row.quality == quality]
    record = next((found for method in book.methods if (found := book.record(model, method))), None)
    name = f"{slug(model)}-{slug(task)}" + (f"-{quality}" if quality != QUALITIES[0] else "")
    panels = [
        _panel(book, model, task, setting, group, quality, chosen)
        for setting in SETTINGS
        for group in GROUPS
        if (chosen := [row for row in rows if row.setting == setting and row.group == group])
    ]
    facts = record.of_quality(quality).tasks.get(task) if record else None
    family = record.family if record else ""
    floors = [floor for floor in book.floors if floor.model == model and floor.task == task]
    return CellView(
        name,
        model,
        task,
        quality,
        facts,
        family,
        _dense(book, model, task, quality),
        answer(model, task, rows, WORDS[quality].best),
        panels,
        floors,
        _troubles(book, model),
        book.main(model),
        _changed(book, model, task) if quality == "agreement" else {},
    )


def _changed(book: Book, model: str, task: str) -> dict[tuple[str, str], tuple[float, float]]:
    """Mean flips and KL over the seeds with half of the units gone."""
    points: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for method in book.methods:
        for row in book.quality.get((model, method), ()):
            at_half = row.target == 0.5 and not row.label and not row.natural
            if at_half and row.task == task and row.quality == "agreement" and row.flips is not None:
                points[row.setting, method].append(row)
    return {key: (fmean(r.flips for r in rows), fmean(r.value for r in rows)) for key, rows in points.items()}


def _panel(book: Book, model: str, task: str, setting: str, group: str, quality: Quality, rows: list[Any]) -> Panel:
    name = panel_name(model, task, setting, group, quality)
    title, words, axis = GROUPS[group]
    series = series_of(book, model, task, setting, rows)
    return Panel(name, model, task, setting, group, quality, title, words, axis, rows, series)


def _dense(book: Book, model: str, task: str, quality: Quality) -> Any | None:
    """The dense model's score: its own row, else point zero of any method."""
    for method in sorted(book.methods, key=lambda name: name != DENSE):
        for row in book.quality.get((model, method), ()):
            known = row.task == task and row.quality == quality and row.status == "ok"
            if known and row.target == 0 and not row.label:
                return row
    return None


def _troubles(book: Book, model: str) -> list[tuple[str, str, str]]:
    found: dict[str, tuple[str, str, str]] = {}
    for method in book.methods:
        for row in book.quality.get((model, method), ()):
            if row.status != "ok":
                found.setdefault(method, (method, row.status, row.reason))
    return list(found.values())
