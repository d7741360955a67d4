"""How far a stage is: a live block on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from headroom.config.plain import PlainLines
from headroom.results.records import CellRecord, Point

logger = logging.getLogger(__name__)


class Progress:
    """Counts points and says what happens. This one writes lines to the log."""

    def begin(self, what: str, total: int) -> None:
        """A part of the stage begins, of so many steps."""

    def more(self, steps: int) -> None:
        """There is more to it than was known when it began."""

    def step(self, what: str) -> None:
        """A step of it is done, for this method."""

    def cell(self, line: str) -> None:
        """A cell is finished."""
        logger.info("%s", line)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """The progress of a stage, to be told what happens."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    with live(title) as shown:
        yield shown


@contextmanager
def live(title: str) -> Iterator[Progress]:
    """One block at the foot of the terminal: method, points of all, points a minute, time left, last finished cell."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        console=console,
    )
    lines: list[str] = []  # of finished cells: they stay on the terminal when the block is gone
    last = Text("", style="dim", overflow="ellipsis", no_wrap=True)

    class Shown(Progress):
        def begin(self, what: str, total: int) -> None:
            for task in bar.task_ids:
                bar.remove_task(task)
            self.task = bar.add_task(f"{title}: {what}", total=total, pace="")

        def more(self, steps: int) -> None:
            bar.update(self.task, total=(bar.tasks[0].total or 0) + steps)

        def step(self, what: str) -> None:
            speed = bar.tasks[0].speed or 0.0
            bar.update(self.task, advance=1, description=f"{title}: {what}", pace=f"{60 * speed:.0f} a minute")

        def cell(self, line: str) -> None:
            last.plain = line
            lines.append(line)

    handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False, markup=False)
    handler.setFormatter(PlainLines())
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]  # lines of the log go above the block and not through it
    try:
        with Live(Group(last, bar), console=console, refresh_per_second=4, transient=True):
            yield Shown()
    finally:
        root.handlers = before
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def headline(record: CellRecord, points: int, fresh: int) -> str:
    """A finished cell in a line: what became of it, and what it keeps with half of its units gone."""
    said = f"{record.method} on {record.model}: {record.status}"
    if record.status == "unsupported" or (record.status == "failed" and not points):
        return f"{said}. {record.reason}"
    said += f", {points} points, {fresh} new"
    if record.status == "failed":
        return f"{said}. {record.reason}"
    middle = nearest_half(record)
    if middle is None:
        return said
    task, score = next(iter(middle.tasks.items()))
    return f"{said}; keeps {score.retained:.0%} of {task} with {middle.units_removed} of {middle.units} units gone"


def nearest_half(record: CellRecord) -> Point | None:
    """The good point with about half of the units gone; of several, the first."""
    good = [point for point in record.points if point.status == "ok" and point.tasks and point.units_removed]
    return min(good, key=lambda point: abs(point.units_removed / point.units - 0.5), default=None)
