"""What the page shows, gathered from the tables and records: no HTML here, no numbers in the templates' hands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.records import CellRecord, TaskFacts
from headroom.site.answers import Answer, answer
from headroom.site.charts import Chart, draw
from headroom.tables import read_table
from headroom.tables.load import DENSE, Records, load, profile_folder
from headroom.tables.quality import FLOOR

GROUPS = {
    "attention": (
        "Attention units",
        "heads, KV groups and attention sublayers, against the attention parameters removed",
    ),
    "other": ("Other units", "MLPs, blocks and both kinds of sublayer together, against all parameters removed"),
}


@dataclass(frozen=True)
class Panel:
    """Rows of one group and setting on one task, with their chart and the table under it."""

    name: str
    group: str
    setting: str
    title: str
    words: str
    rows: list[Any]
    chart: str
    targets: list[float]
    steps: dict[str, dict[float, Any]]  # method, then target: curve row


@dataclass(frozen=True)
class TaskView:
    """One task of a model."""

    name: str
    facts: TaskFacts | None
    dense: Any | None  # quality row
    answer: Answer
    panels: list[Panel]
    timed: Any | None  # a row with the workload and machine of the speed columns
    paired: bool


@dataclass(frozen=True)
class ModelView:
    """One model: its tasks, what it does not test, its speeds and what went wrong."""

    name: str
    family: str
    tasks: list[TaskView]
    floors: list[Any]
    speeds: list[Any]
    troubles: list[tuple[str, str, str]]  # method, status, reason
    record: CellRecord | None


@dataclass(frozen=True)
class Page:
    """Everything the templates are given."""

    profile: str
    models: list[ModelView]
    methods: list[str]
    keys: dict[str, str]
    titles: dict[str, str]
    records: Records
    tracks: list[str]
    difference: float  # largest logit difference, masked against removed
    sources: dict[str, CellRecord]  # one record of every method: its file and paper

    def machine(self, fingerprint: str) -> str:
        """A machine as people call it."""
        facts = self.records.machines.get(fingerprint)
        return f"{facts.accelerator or facts.processor} ({fingerprint})" if facts else fingerprint


def gather(profile: str, results: Path) -> Page:
    """Read the tables of a profile and the records behind them. Nothing is looked for that the tables do not list."""
    folder = profile_folder(profile, results)
    tables = {name: read_table(folder, name) for name in ("leaderboard", "quality", "throughput", "floors", "curves")}
    methods = list(dict.fromkeys(row.method for row in tables["quality"]))
    models = list(dict.fromkeys(row.model for row in tables["quality"]))
    records = load(profile, methods, models, results)
    keys = {method: _key(method, place) for place, method in enumerate(methods)}
    titles = {method: method for method in methods} | {r.method: r.title for r in tables["leaderboard"] if r.title}
    views = [_model(records, tables, model, place, keys) for place, model in enumerate(models)]
    tracks = list(dict.fromkeys(row.track for row in tables["leaderboard"] if row.track and row.method != DENSE))
    difference = max((row.logit_difference or 0.0 for row in tables["quality"]), default=0.0)
    sources = {method: record for (_, method), record in records.cells.items()}
    return Page(profile, views, methods, keys, titles, records, sorted(tracks), difference, sources)


def _key(method: str, place: int) -> str:
    """A name that is safe in an attribute and cannot meet another method's."""
    safe = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
    return safe if safe == method else f"m{place}-{safe}"


def _model(records: Records, tables: dict[str, Any], model: str, place: int, keys: dict[str, str]) -> ModelView:
    mine = {name: [row for row in rows if row.model == model] for name, rows in tables.items()}
    cells = [records.cells.get((model, method)) for method in records.methods]
    first = next((cell for cell in cells if cell), None)
    names = records.tasks(model)
    tasks = [_task(first, mine, model, task, f"chart-{place}-{number}", keys) for number, task in enumerate(names)]
    troubles: dict[str, tuple[str, str, str]] = {}
    for row in mine["quality"]:
        if row.status != "ok":
            troubles.setdefault(row.method, (row.method, row.status, row.reason))
    speeds = [row for row in mine["throughput"] if row.status == "ok"]
    family = first.family if first else ""
    return ModelView(model, family, tasks, mine["floors"], speeds, list(troubles.values()), first)


def _task(
    record: CellRecord | None, mine: dict[str, Any], model: str, task: str, name: str, keys: dict[str, str]
) -> TaskView:
    rows = [row for row in mine["leaderboard"] if row.task == task and row.method != DENSE]
    curves = [row for row in mine["curves"] if row.task == task]
    dense = [r for r in mine["quality"] if r.task == task and r.target == 0 and r.status == "ok" and not r.label]
    dense.sort(key=lambda row: row.method != DENSE)
    natural = [
        r
        for r in mine["quality"]
        if r.task == task and r.label and not r.label.startswith(FLOOR) and r.retained is not None
    ]
    kinds = [(setting, group) for setting in ("as is", "recovered") for group in GROUPS]
    panels: list[Panel] = []
    for setting, group in kinds:
        chosen = [row for row in rows if row.setting == setting and row.group == group]
        if chosen:
            panels.append(_panel(f"{name}-{len(panels)}", setting, group, chosen, curves, natural, keys))
    facts = record.tasks.get(task) if record else None
    timed = next((row for row in rows if row.work), None)
    said = answer(model, task, rows)
    return TaskView(task, facts, dense[0] if dense else None, said, panels, timed, any(row.paired for row in rows))


def _panel(
    name: str,
    setting: str,
    group: str,
    rows: list[Any],
    curves: Sequence[Any],
    natural: Sequence[Any],
    keys: dict[str, str],
) -> Panel:
    title, words = GROUPS[group]
    drawn = {row.method: [step for step in curves if step.method == row.method] for row in rows}
    drawn = {method: steps for method, steps in drawn.items() if steps}
    chart = ""
    if drawn:
        axis = next(iter(drawn.values()))[0].axis
        stochastic = frozenset(row.method for row in rows if row.stochastic)
        share = "attention_parameters_removed" if group == "attention" else "parameters_removed"
        marks = {
            method: [(getattr(row, share), row.retained) for row in natural if row.method == method] for method in drawn
        }
        marks = {method: points for method, points in marks.items() if points}
        chart = draw(Chart(name, axis, drawn, keys, stochastic, marks))
    targets = sorted({step.target for steps in drawn.values() for step in steps if step.target > 0})
    table = {method: {step.target: step for step in steps} for method, steps in drawn.items()}
    return Panel(name, group, setting, title, words, rows, chart, targets, table)
