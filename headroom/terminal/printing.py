"""Consoles that obey nothing in what they print: reasons and notes are by whoever wrote a method."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from headroom.config.plain import plain

NARROWEST = 40  # columns: a terminal with fewer breaks lines by itself, where rich would cut names
UNKNOWN = 80  # what is taken for COLUMNS=0


class PlainConsole(Console):
    """Prints strings as they are: no markup, no names of emojis, and nothing that the terminal would obey."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        """The terminal's, but wide enough for the longest name."""
        width, height = super().size
        return ConsoleDimensions(max(width, NARROWEST) if width > 0 else UNKNOWN, height)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything passes here on its way out, tables and captions too; rich's own control codes are left alone."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
