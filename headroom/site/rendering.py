"""How a page comes from its template: what all of them know, which have a twin, and where they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment

from headroom.results.records import Quality
from headroom.results.rows import Row
from headroom.results.write import TABLES
from headroom.site.archiving import Board
from headroom.site.book import Book, Pair
from headroom.site.downloads import Download
from headroom.site.drawing import Drawn
from headroom.site.maps import Atlas, atlas
from headroom.site.names import cell_page, method_page
from headroom.site.panels import CellView
from headroom.site.qualities import QUALITIES, twin
from headroom.site.speeds import SpeedView
from headroom.site.templating import NAV, Nav, Sibling, environment


@dataclass
class Pages:
    """What all pages of a profile share, and where they go."""

    book: Book
    cells: list[CellView]
    views: list[SpeedView]
    drawn: dict[str, Drawn]
    out: Path
    siblings: dict[str, Sibling]
    downloads: list[Download]
    nav: Nav = NAV
    tables: Mapping[str, type[Row]] = field(default_factory=lambda: TABLES)
    before: list[Board] = field(default_factory=list)  # boards of earlier days
    atlases: dict[str, Atlas | None] = field(init=False)
    twins: set[str] = field(init=False)  # pages that are made for both qualities
    told: set[Pair] = field(init=False)  # models and tasks whose answers to examples are shown

    def __post_init__(self) -> None:
        self.atlases = {model: atlas(self.book, model) for model in self.book.models}
        both = [cell for cell in self.cells if cell.quality != QUALITIES[0]]
        own = {method_page(row.method) for cell in both for panel in cell.panels for row in panel.rows}
        pages = {"index.html", "compare.html"} if both else set()
        pages |= {"overall.html"} if any(row.quality != QUALITIES[0] for row in self.book.overall) else set()
        absent = {"overall.html": not self.book.overall, "says.html": not self.book.answers}
        self.nav = [(place, words) for place, words in self.nav if not absent.get(place)]
        self.told = {(row.model, row.task) for row in self.book.answers}
        self.twins = pages | own | {cell_page(cell.model, cell.task) for cell in both}

    @cached_property
    def environment(self) -> Environment:
        """The templates."""
        return environment(self.book, self.drawn, self.siblings, self.nav)

    def page(
        self,
        path: str,
        template: str,
        kind: str,
        scripts: tuple[str, ...] = (),
        quality: Quality = QUALITIES[0],
        **values: Any,
    ) -> None:
        """Render one page; ``path`` is that of its twin for the tasks' own metrics."""
        up = "../" * path.count("/")
        base = {"up": up, "here": path, "kind": kind, "scripts": scripts, "quality": quality}
        known = {"twins": self.twins, "answered": self.told}
        text = self.environment.get_template(f"templates/{template}").render(**base, **known, **values)
        target = self.out / twin(path, quality)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8", newline="\n")

    def script(self, path: str, event: str, detail: Any) -> None:
        """What a page fetches when it is there, as a script: from disk as from a server."""
        target = self.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        words = json.dumps(detail, ensure_ascii=False)
        text = f'dispatchEvent(new CustomEvent("{event}", {{ detail: {words} }}));\n'
        target.write_text(text, encoding="utf-8", newline="\n")
