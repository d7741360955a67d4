"""How the terminal lays things out: at every width names and headings are whole and sentences read as sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

GAP, INDENT = "  ", "    "


def made(title: str, *columns: str) -> Table:
    """A plain table for a few short columns. Cells too long for the terminal are folded, never cut."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def fits(columns: Collection[Sequence[str]], width: int) -> bool:
    """Whether columns, each a heading and its cells, stand side by side in so many letters with nothing cut."""
    return sum(max(map(len, column)) for column in columns) + len(GAP) * (len(columns) - 1) <= width


@dataclass
class Listing:
    """Rows of short facts with sentences under each.

    The facts stand in columns where all of them fit; on a narrower terminal the first fact has a line of its own,
    and the others follow under it with their headings.
    """

    title: str
    headings: tuple[str, ...]
    numbers: frozenset[str] = frozenset()  # headings of columns that are flush right
    caption: str = ""
    rows: list[tuple[tuple[str, ...], str, str]] = field(default_factory=list)

    def add(self, *facts: str, text: str = "", style: str = "") -> None:
        """A row: a fact for each heading, the sentences under it, and rich's style for both."""
        self.rows.append((facts, text, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line, style in self.lines(options.max_width):
            yield Text(line, style, no_wrap=True, overflow="ignore")

    def lines(self, width: int) -> Iterator[tuple[str, str]]:
        """Lines of at most so many letters with their styles; only a word that is longer stands out."""
        columns = list(zip(self.headings, *(facts for facts, _, _ in self.rows), strict=True))
        wide = fits(columns, width)
        widths = [max(map(len, column)) for column in columns]
        yield from ((line, "italic") for line in wrapped(self.title, width))
        if wide:
            yield self.in_columns(self.headings, widths), "bold"
        for facts, text, style in self.rows:
            if wide:
                yield self.in_columns(facts, widths), style
            else:
                yield facts[0], style
                said = (f"{heading} {fact}" for heading, fact in zip(self.headings[1:], facts[1:], strict=True) if fact)
                yield from ((line, style) for line in wrapped("; ".join(said), width, INDENT))
            yield from ((line, style) for line in wrapped(text, width, INDENT))
        yield from ((line, "dim italic") for line in wrapped(self.caption, width))
        yield "", ""  # what comes next stands apart

    def in_columns(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        sided = (
            cell.rjust(width) if heading in self.numbers else cell.ljust(width)
            for heading, cell, width in zip(self.headings, cells, widths, strict=True)
        )
        return GAP.join(sided).rstrip()


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines broken between words only: a name, a number or a path stays whole."""
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
