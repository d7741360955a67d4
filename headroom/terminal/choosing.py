"""Which tables a command speaks of. A name that is not there is answered with the near one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from headroom.config.params import load
from headroom.errors import UserError, suggest
from headroom.results.asked import entry_of
from headroom.results.choosing import Wish, answers
from headroom.results.records import Quality
from headroom.site.book import SETTINGS, Book, read_book
from headroom.site.budget import offered
from headroom.site.panels import CellView, Panel, cell_view
from headroom.site.qualities import QUALITIES
from headroom.terminal.answering import Answers


def book(params: Path) -> Book:
    """The tables of a profile. Raises ``UserError`` when they are not there."""
    profile = load(params)
    return read_book(profile.profile, profile.results)


def answered(file: Path, wish: Wish) -> Answers:
    """The answers of a profile's tables to a wish. Raises ``UserError`` where they hold nothing that it is about."""
    params, found = load(file), book(file)
    known(wish.task or None, [task for _, task in found.cells], "task")
    known(wish.setting or None, SETTINGS, "setting")
    offers = offered(found)
    kinds = list(dict.fromkeys(offer.kind for offer in offers))
    if wish.kind and wish.kind not in kinds:
        raise UserError(
            f"profile {params.profile} has measured no {wish.kind}. It has: {', '.join(kinds) or 'nothing'}."
        )
    replies = answers(offers, wish)
    if not replies:
        raise UserError("nothing was measured for these options. `headroom status` says what is there.")
    return Answers(found, wish, replies, {name: entry_of(params, name) for name in params.methods})


def chosen(
    found: Book,
    model: str | None,
    task: str | None,
    setting: str | None,
    track: str | None = None,
    qualities: Sequence[Quality] = QUALITIES[:1],
) -> list[tuple[CellView, Panel]]:
    """Every panel that the options leave, those without a row of the track left out.

    Raises ``UserError`` for a name that the tables lack.
    """
    known(model, found.models, "model")
    known(task, [task for _, task in found.cells], "task")
    known(setting, SETTINGS, "setting")
    known(track, [row.track for rows in found.board.values() for row in rows if row.track], "track")
    pairs = [pair for pair in found.cells if (model or pair[0], task or pair[1]) == pair]
    cells = [cell_view(found, *pair, quality) for pair in pairs for quality in qualities]
    panels = [(cell, panel) for cell in cells for panel in cell.panels if (setting or panel.setting) == panel.setting]
    panels = [(cell, panel) for cell, panel in panels if not track or any(row.track == track for row in panel.rows)]
    if not panels:
        raise UserError("nothing was measured for these options. `headroom status` says what is there.")
    return panels


def known(name: str | None, names: Iterable[str], what: str) -> None:
    """Raises ``UserError`` for a name that is not among those of the tables."""
    if name is not None and name not in set(names):
        raise UserError(f"there is no {what} {name!r} in the tables. {suggest(name, list(dict.fromkeys(names)))}")
