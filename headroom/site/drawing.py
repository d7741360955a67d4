"""Draw the charts of a site, on all cores where there are many: for the page, and as SVG, PDF and PNG to take away."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headroom.site.charts import style
from headroom.site.names import slug
from headroom.site.styles import QUIET
from headroom.site.svg import FRONT, THIN, Drawing, embed

MANY = 12  # charts; below it a second process costs more than it saves
DOTS = 120  # per inch, of the PNG
WRITTEN = ("svg", "pdf", "png")
# Every reader of PDF has Helvetica; to cut a font down to its letters takes longer than to draw the chart.
CORE_FONTS: Any = {"pdf.use14corefonts": True, "font.sans-serif": ["Helvetica"]}
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # Helvetica's normal weight is called medium


class Chart(Protocol):
    """What can be drawn."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    def draw(self) -> Figure: ...


@dataclass(frozen=True)
class Drawn:
    """A chart for the page, and the files that were written of it."""

    drawing: Drawing
    files: tuple[str, ...]
    best: tuple[str, ...] = ()  # methods that stand out in it


def draw_all(charts: Sequence[Chart], folder: Path | None) -> dict[str, Drawn]:
    """Every chart by its name; with ``folder``, its files are written there. The same bytes from the same charts."""
    jobs = [(chart, folder) for chart in charts]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    if len(jobs) < MANY or cores == 1:
        done = [_draw(*job) for job in jobs]
    else:
        with ProcessPoolExecutor(max_workers=cores) as pool:
            done = list(pool.map(_draw, *zip(*jobs, strict=True), chunksize=2))
    return {chart.name: found for chart, found in zip(charts, done, strict=True)}


def _draw(chart: Chart, folder: Path | None) -> Drawn:
    with style(chart.name):
        figure = chart.draw()
        axes = figure.axes[0]
        named: tuple[str, ...] = getattr(chart, "best", ())
        best = {slug(method) for method in named}
        # For the page the title and the paper are left out again: one drawing serves both.
        figure.suptitle(chart.title, fontsize=8, x=0.01, y=0.995, ha="left", va="top", parse_math=False)
        logs = "".join(which for which in "xy" if getattr(axes, f"get_{which}scale")() == "log")
        source = _source(figure, chart)
        drawing = embed(source, chart.name, (*axes.get_xlim(), *axes.get_ylim()), logs, best)
        if folder and best:
            _fade(axes, chart.name, best)
            source = _source(figure, chart)
        return Drawn(drawing, _files(figure, chart, folder, source) if folder else (), named)


def _source(figure: Figure, chart: Chart) -> str:
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Title": chart.title})
    return target.getvalue()


def _fade(axes: Axes, name: str, best: Collection[str]) -> None:
    """On paper nothing can be pointed at: what does not stand out is thin and grey for good."""
    for part in (*axes.lines, *axes.collections):
        place, _, rest = str(part.get_gid() or "").removeprefix(f"{name}--").partition("--")
        kind = rest.partition(".")[0]
        if not rest or place in (*best, FRONT):
            continue
        if kind not in THIN:
            part.set_visible(False)
        elif part in axes.lines:
            part.set(color=QUIET, linewidth=0.8, markersize=2.4, zorder=1.8, marker="." if kind == "marks" else "")


def _files(figure: Figure, chart: Chart, folder: Path, source: str) -> tuple[str, ...]:
    """The chart by itself, with its title on it and white paper behind it; ``source`` is it as SVG."""
    paths = {kind: folder / f"{chart.name}.{kind}" for kind in WRITTEN}
    paths["svg"].write_text(source, encoding="utf-8", newline="\n")
    with matplotlib.rc_context(CORE_FONTS):
        facts = {"CreationDate": None, "Producer": None, "Creator": None, "Title": chart.title}
        figure.savefig(paths["pdf"], format="pdf", metadata=facts)
    figure.savefig(paths["png"], format="png", dpi=DOTS, metadata={"Software": None, "Title": chart.title})
    return tuple(path.name for path in paths.values())
