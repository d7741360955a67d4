"""Every page from its template. What a page shows is gathered here; how it looks is the template's affair."""

from __future__ import annotations

from functools import cached_property

from headroom.results.leaderboard import LEAST_OWN
from headroom.results.offers import Offer
from headroom.results.records import Quality
from headroom.site import checking, citing, claiming, comparing, fronting, ordering, running, saying, telling
from headroom.site.archiving import read
from headroom.site.budget import Budget, budget, for_scripts, offered
from headroom.site.changes import history
from headroom.site.names import cell_page, method_page, run_page, slug
from headroom.site.panels import CellView, Panel
from headroom.site.prose import docstring, paragraphs
from headroom.site.qualities import QUALITIES, present, twin
from headroom.site.reference import beside, drawable, published_of, read_published
from headroom.site.rendering import Pages
from headroom.site.rules import rules
from headroom.site.verdicts import against, standing


class Site(Pages):
    """All pages of one profile."""

    @cached_property
    def offers(self) -> list[Offer]:
        """Every smaller model that was measured."""
        return offered(self.book)

    @cached_property
    def checks(self) -> list[checking.Checked]:
        """What `headroom check` found, method by method."""
        return checking.checked(self.book.checks)

    def write(self) -> None:
        """Write every page."""
        for quality in present(cell.quality for cell in self.cells) or QUALITIES[:1]:
            cells = [cell for cell in self.cells if cell.quality == quality]
            self._front(quality, cells)
            self._cells(cells)
            self._methods(quality, cells)
            self._overall(quality)
            self._compare(quality, cells)
        self._runs()
        self._says()
        self._speed()
        self._claims()
        self.words()
        self._changes()
        self._archive()

    def _front(self, quality: Quality, cells: list[CellView]) -> None:
        shown = next(((cell, panel) for cell in cells for panel in cell.panels), None)
        self.page(
            "index.html",
            "index.html",
            "front",
            ("table", "chart", "board", "budget"),
            quality,
            cells=cells,
            wishes=self._wishes(quality),
            rules=rules(self.book, self.offers, quality),
            shown=shown,
            overall=fronting.overall(cells),
            whole=fronting.whole(self.book, cells),
            orders=ordering.orders(self.book, quality),
            boards=[fronting.board(self.book, panel) for cell in cells for panel in cell.panels],
            options=fronting.options(self.book, cells),
        )
        for cell in cells:
            for panel in cell.panels:
                self._fragment(cell, panel)

    def _wishes(self, quality: Quality) -> Budget | None:
        """The answers to all wishes, and the script that has those that the page does not open with."""
        found = budget(self.book, self.offers, quality)
        if found:
            show = self.environment.globals["budget"].show  # type: ignore[attr-defined]
            detail = for_scripts(found, lambda card, name: str(show(card, "", quality, name)))
            self.script(twin("boards/budget.js", quality), "budget", detail)
        return found

    def _fragment(self, cell: CellView, panel: Panel) -> None:
        """A panel as a script: what the front page fetches when a reader chooses it, from disk as from a server."""
        macros = self.environment.get_template("templates/fragment.html")
        html = macros.render(cell=cell, panel=panel, up="")
        self.script(f"boards/{panel.name}.js", "board", [panel.name, html])

    def _cells(self, cells: list[CellView]) -> None:
        for cell in cells:
            points = [
                row
                for method in self.book.methods
                for row in self.book.quality.get((cell.model, method), ())
                if row.task == cell.task and row.quality == cell.quality
            ]
            self.page(
                cell_page(cell.model, cell.task),
                "cell.html",
                "cell",
                ("table", "chart", "maps"),
                cell.quality,
                cell=cell,
                points=points,
                atlas=self.atlases[cell.model],
            )

    def _methods(self, quality: Quality, cells: list[CellView]) -> None:
        checks = {one.method: one for one in self.checks}
        for method in self.book.methods:
            if quality != QUALITIES[0] and method_page(method) not in self.twins:
                continue
            source = self.book.source(method)
            found = [
                (cell, panel, row)
                for cell in cells
                for panel in cell.panels
                for row in panel.rows
                if row.method == method
            ]
            rows = [(cell, row, against(panel, row)) for cell, panel, row in found]
            curves = [(cell, panel) for cell, panel, _ in found if method in panel.series]
            grains = sorted({grain for _, row, _ in rows for grain in row.grains.split("+") if grain})
            figures = published_of(source.paper, grains) if source and quality == QUALITIES[0] else []
            chosen = drawable(figures) or figures
            self.page(
                method_page(method),
                "method.html",
                "method",
                ("chart",),
                quality,
                method=method,
                source=source,
                rows=rows,
                curves=curves,
                grains=grains,
                stands=standing(rows),
                idea=paragraphs(docstring(source.file).partition("\n\n")[2]) if source else "",
                beside=beside(chosen, [panel.series[method] for _, panel in curves]),
                chart=self.drawn.get(f"published-{slug(method)}"),
                counts=(len(chosen), len(figures)),
                marks=drawable(figures),
                checks=checks.get(method),
            )

    def _runs(self) -> None:
        for (model, method), record in self.book.records.cells.items():
            values = running.values(self.book, record, self.atlases[model])
            self.page(run_page(model, method), "run.html", "run", ("table",), **values)

    def _compare(self, quality: Quality, cells: list[CellView]) -> None:
        self.page(
            "compare.html",
            "compare.html",
            "compare",
            ("table", "chart", "compare"),
            quality,
            cells=cells,
            methods=comparing.methods(self.book),
            neighbours=comparing.neighbours(cells),
            compared=comparing.cells(self.book, cells, self.atlases),
            opening=comparing.opening(self.book, cells),
        )

    def _overall(self, quality: Quality) -> None:
        if orders := ordering.orders(self.book, quality):
            self.page("overall.html", "overall.html", "overall", ("table",), quality, orders=orders)

    def _says(self) -> None:
        if self.book.answers:
            told = saying.told(self.book.answers, self.book.folder, self.out)
            self.page("says.html", "says.html", "says", told=told)

    def _speed(self) -> None:
        published = [row for row in read_published() if row.speedup and row.speedup != 1]
        self.page("speed.html", "speed.html", "speed", ("table", "chart"), views=self.views, published=published)

    def _claims(self) -> None:
        self.page(
            "claims.html",
            "claims.html",
            "claims",
            ("table",),
            papers=claiming.papers(self.book.claims),
            models=claiming.models(self.book.claims),
            signs=claiming.SIGNS,
            tally=claiming.tally(self.book.claims),
            checks=self.checks,
            toys=checking.toys(self.checks),
            kinds=checking.COLUMNS,
        )

    def words(self) -> None:
        """What every site says of its data, of how they were measured, and of how to add to them."""
        book = self.book
        self.page("data.html", "data.html", "words")
        self.page(
            "data/index.html",
            "files.html",
            "data",
            ("table",),
            downloads=self.downloads,
            boards=bool(book.board),
            dictionary=citing.columns(self.tables),
            bibtex=citing.bibtex(book),
        )
        tables = [file for file in self.downloads if file.path.count("/") == 1]
        self.page("llms.txt", "llms.txt", "told", **telling.values(book, self.nav, tables, self.siblings))
        rows = [row for rows in book.quality.values() for row in rows]
        self.page(
            "methodology.html",
            "methodology.html",
            "words",
            (),
            difference=max((row.logit_difference for row in rows if row.logit_difference is not None), default=None),
            least_own=LEAST_OWN,
            machines=list(book.records.machines.values()),
            untested=[floor for floor in book.floors if floor.tested is False],
        )
        self.page("contribute.html", "contribute.html", "words")

    def _changes(self) -> None:
        changes = history(self.book.folder)
        self.page("changes.html", "changes.html", "changes", (), changes=changes, before=self.before)
        self.page("feed.xml", "feed.xml", "feed", (), changes=changes)

    def _archive(self) -> None:
        """The boards of earlier days: their tables as they were, and a plain page."""
        for board in self.before:
            self.page(f"{board.place}/index.html", "archived.html", "words", board=board, read=read)
            for name, content in board.files.items():
                (self.out / board.place / name).write_bytes(content)
