"""Every page from its template. What a page shows is gathered here; how it looks is the template's affair."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headroom.site import citing, comparing, running
from headroom.site.book import Book, own_name, setting_of
from headroom.site.changes import history
from headroom.site.downloads import Download
from headroom.site.drawing import Drawn
from headroom.site.maps import STEPS, Atlas, atlas, mlp_of, short
from headroom.site.names import cell_page, method_page, panel_name, run_page, slug
from headroom.site.numbers import FILTERS
from headroom.site.panels import CellView, Panel
from headroom.site.prose import docstring, paragraphs
from headroom.site.reference import beside, drawable, published_of, read_published
from headroom.site.series import Series, Stop, for_scripts, work_words
from headroom.site.speeds import SpeedView
from headroom.site.styles import SHAPES, look
from headroom.site.verdicts import against, standing

NAV = [
    ("index.html", "Leaderboard"),
    ("compare.html", "Compare"),
    ("speed.html", "Speed"),
    ("claims.html", "Claims"),
    ("data.html", "Data"),
    ("methodology.html", "How it is measured"),
    ("contribute.html", "Contribute"),
    ("changes.html", "Changes"),
]
COLUMNS = [  # of the leaderboard: name in the hash, words, explanation
    ("rank", "Rank", "places that the intervals allow, over all tracks"),
    ("method", "Method", "its track and what it removes"),
    ("area", "Quality kept", "area under retained quality, dense is 1"),
    ("lost25", "25 %", "quality lost with a quarter gone"),
    ("lost50", "50 %", "quality lost with half gone"),
    ("lost75", "75 %", "quality lost with three quarters gone"),
    ("go1", "1 %", "largest share that can go at no more than 1 % loss, with the measured speed there"),
    ("go5", "5 %", "largest share that can go at no more than 5 % loss, with the measured speed there"),
    ("half", "Speed, half gone", "measured speed-up with half of the units gone, of the ideal one"),
    ("saved", "Saved, half gone", "share of all parameters and cache bytes per token saved with half gone"),
    ("cost", "Cost", "seconds and passes of pruning, one seed"),
    ("random", "Random", "against the random draws of the same model"),
    ("coverage", "Points", "points scored of those asked for"),
]
PAPERS = {
    "M": "Michel, Levy and Neubig 2019",
    "V": "Voita et al. 2019",
    "G": "Ni, Mao et al. 2023 (grouped heads)",
    "L": "He et al. 2024 (LLM-Drop)",
    "F": "Zhang et al. 2024 (FinerCut)",
    "P": "Sun et al. 2024 (painters)",
    "N": "Lin et al. 2024 (nose)",
}
VERDICTS = {"holds": "yes", "ok": "yes", "pass": "yes", "does not hold": "no", "fail": "no", "failed": "no"}


@dataclass
class Site:
    """All pages of one profile, and where they go."""

    book: Book
    cells: list[CellView]
    views: list[SpeedView]
    drawn: dict[str, Drawn]
    out: Path
    siblings: dict[str, str]
    downloads: list[Download]
    atlases: dict[str, Atlas | None] = field(init=False)

    def __post_init__(self) -> None:
        self.atlases = {model: atlas(self.book, model) for model in self.book.models}

    @cached_property
    def environment(self) -> Environment:
        """Templates that escape everything and refuse names they do not know."""
        loader = PackageLoader("headroom.site", package_path="")
        found = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        found.filters.update(FILTERS)
        found.filters["drawn"] = Markup
        found.globals.update(
            book=self.book, drawn=self.drawn, siblings=self.siblings, nav=NAV, columns=COLUMNS, steps=STEPS,
            look=look, slug=slug, panel_name=panel_name, cell_page=cell_page, method_page=method_page, run_page=run_page, against=against,
            marker_name=SHAPES.__getitem__, packed=packed, tracks=tracks, at_target=at_target, short_site=short,
            mlp_of=mlp_of, kept_words=kept_words, own_name=own_name, setting_of=setting_of, work_words=work_words,
            papers=PAPERS, verdicts=VERDICTS,
        )  # fmt: skip
        for name in ("parts", "board", "maps"):  # macros, in the order in which they use each other
            found.globals[name] = found.get_template(f"templates/{name}.html").module
        return found

    def write(self) -> None:
        """Write every page."""
        self._front()
        self._cells()
        self._methods()
        self._runs()
        self._compare()
        self._speed()
        self._words()

    def page(self, path: str, template: str, kind: str, scripts: tuple[str, ...] = (), **values: Any) -> None:
        """Render one page."""
        up = "../" * path.count("/")
        base = {"up": up, "here": path, "kind": kind, "scripts": scripts}
        text = self.environment.get_template(f"templates/{template}").render(**base, **values)
        target = self.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8", newline="\n")

    def _front(self) -> None:
        shown = next(((cell, panel) for cell in self.cells for panel in cell.panels), None)
        overall: dict[tuple[str, str, str], Any] = {}
        for cell in self.cells:
            for panel in cell.panels:
                for row in panel.rows:
                    overall.setdefault((cell.model, cell.task, row.method), row)
        boards = [_board(self.book, panel) for cell in self.cells for panel in cell.panels]
        self.page(
            "index.html", "index.html", "front", ("table", "chart", "board"),
            cells=self.cells, shown=shown, overall=overall, boards=boards, options=self._options(),
        )  # fmt: skip
        for cell in self.cells:
            for panel in cell.panels:
                self._fragment(cell, panel)

    def _options(self) -> dict[str, list[tuple[str, str]]]:
        panels = [panel for cell in self.cells for panel in cell.panels]
        rows = [row for panel in panels for row in panel.rows]
        every = [("", "all")]

        def same(values: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in dict.fromkeys(values)]

        machines = dict.fromkeys(
            row.machine for found in self.book.speeds.values() for row in found if row.status == "ok"
        )
        words = {"units": "units removed", "attention": "attention parameters", "parameters": "all parameters"}
        words |= {"macs": "multiply-accumulates", "speed": "measured speed"}
        return {
            "model": same(cell.model for cell in self.cells),
            "task": same(cell.task for cell in self.cells),
            "setting": same(panel.setting for panel in panels),
            "units": list(dict.fromkeys((panel.group, panel.title.lower()) for panel in panels)),
            "grain": every
            + [(g, g.replace("_", " ").replace("+", " and ")) for g in sorted({r.grains for r in rows if r.grains})],
            "track": every + same(sorted({row.track for row in rows if row.track})),
            "machine": [(name, self.book.machine(name)) for name in machines],
            "x": [("", "as ranked"), *words.items()],
        }

    def _fragment(self, cell: CellView, panel: Panel) -> None:
        """A panel as a script: what the front page fetches when a reader chooses it, from disk as from a server."""
        macros = self.environment.get_template("templates/fragment.html")
        html = macros.render(cell=cell, panel=panel, up="")
        target = self.out / "boards" / f"{panel.name}.js"
        target.parent.mkdir(parents=True, exist_ok=True)
        words = json.dumps([panel.name, html], ensure_ascii=False)
        text = f'dispatchEvent(new CustomEvent("board", {{ detail: {words} }}));\n'
        target.write_text(text, encoding="utf-8", newline="\n")

    def _cells(self) -> None:
        for cell in self.cells:
            points = [
                row
                for method in self.book.methods
                for row in self.book.quality.get((cell.model, method), ())
                if row.task == cell.task
            ]
            self.page(
                cell_page(cell.model, cell.task), "cell.html", "cell", ("table", "chart", "maps"),
                cell=cell, points=points, atlas=self.atlases[cell.model],
            )  # fmt: skip

    def _methods(self) -> None:
        for method in self.book.methods:
            source = self.book.source(method)
            found = [
                (cell, panel, row) for cell in self.cells for panel in cell.panels for row in panel.rows
                if row.method == method
            ]  # fmt: skip
            rows = [(cell, row, against(panel, row)) for cell, panel, row in found]
            curves = [(cell, panel) for cell, panel, _ in found if method in panel.series]
            grains = sorted({grain for _, row, _ in rows for grain in row.grains.split("+") if grain})
            figures = published_of(source.paper, grains) if source else []
            chosen = drawable(figures) or figures
            self.page(
                method_page(method), "method.html", "method", (),
                method=method, source=source, rows=rows, curves=curves, grains=grains, stands=standing(rows),
                idea=paragraphs(docstring(source.file).partition("\n\n")[2]) if source else "",
                beside=beside(chosen, [panel.series[method] for _, panel in curves]),
                chart=self.drawn.get(f"published-{slug(method)}"),
                more=f"{len(chosen)} of {len(figures)} published figures for these units; averages over tasks where a paper gives them.",
                checks=[row for row in self.book.checks if row.get("method") == method],
                multiples=multiples,
            )  # fmt: skip

    def _runs(self) -> None:
        for (model, method), record in self.book.records.cells.items():
            values = running.values(self.book, record, self.atlases[model])
            self.page(run_page(model, method), "run.html", "run", ("table",), **values)

    def _compare(self) -> None:
        self.page(
            "compare.html", "compare.html", "compare", ("table", "chart", "compare"),
            cells=self.cells, methods=comparing.methods(self.book), neighbours=comparing.neighbours(self.cells),
            compared=comparing.cells(self.book, self.cells, self.atlases),
        )  # fmt: skip

    def _speed(self) -> None:
        published = [row for row in read_published() if row.speedup and row.speedup != 1]
        self.page(
            "speed.html", "speed.html", "speed", ("table", "chart"), views=self.views, published=published, heat=heat
        )

    def _words(self) -> None:
        book = self.book
        differences = [
            r.logit_difference for rows in book.quality.values() for r in rows if r.logit_difference is not None
        ]
        tally = Counter(row.get("verdict", "") for row in book.claims).most_common()
        self.page(
            "claims.html", "claims.html", "claims", ("table",), claims=book.claims, checks=book.checks, tally=tally
        )
        self.page(
            "data.html", "data.html", "data", ("table",),
            downloads=self.downloads, dictionary=citing.columns(), bibtex=citing.bibtex(book),
        )  # fmt: skip
        self.page(
            "methodology.html", "methodology.html", "words", (),
            difference=max(differences, default=0.0), machines=list(book.records.machines.values()),
            untested=[floor for floor in book.floors if floor.tested is False],
        )  # fmt: skip
        self.page("contribute.html", "contribute.html", "words")
        changes = history(book.folder)
        self.page("changes.html", "changes.html", "changes", (), changes=changes)
        self.page("feed.xml", "feed.xml", "feed", (), changes=changes)


def packed(panel: Panel) -> dict[str, Any]:
    """The numbers of a panel's chart for the scripts."""
    return for_scripts(panel.axis, panel.series.values())


def tracks(panel: Panel) -> dict[str, str]:
    """Track by method."""
    return {row.method: row.track for row in panel.rows}


def at_target(one: Series, target: float) -> Stop | None:
    """A series' point at a target, if it has one there."""
    return next((stop for stop in one.stops if stop.target == target and not stop.name), None)


def multiples(panel: Panel, method: str) -> list[str]:
    """The series that a small multiple shows: the method and what is random beside it."""
    return [one.key for one in panel.series.values() if one.method == method or one.stochastic]


def kept_words(found: Atlas, one: Any) -> str:
    """How many places a map keeps at the step that is shown first."""
    total = len(one.within(found.anatomy))
    return f"{total - len(one.removed(found.middle))} of {total} kept"


def heat(speedup: float) -> float:
    """How strongly a cell of the speed table is coloured: nothing at 1, full at 2."""
    return round(min(max(speedup - 1, 0.0), 1.0), 2)


def _board(book: Book, panel: Panel) -> dict[str, Any]:
    from headroom.site.series import measured

    machines = {row.machine for row in book.speeds.get((panel.model, panel.rows[0].method), ()) if row.status == "ok"}
    other = {
        m: {slug(r.method): measured(book, panel.model, r.method, m) for r in panel.rows} for m in sorted(machines)
    }
    found = {"n": panel.name, "model": panel.model, "task": panel.task, "setting": panel.setting, "units": panel.group}
    return found | ({"speeds": other} if len(other) > 1 else {})
