"""From a budget to a command: the answers to the wishes that a reader can choose on the front page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headroom.results.choosing import Answer, Reply, Wish, answers
from headroom.results.kinds import KINDS
from headroom.results.offers import Offer, offers
from headroom.results.recipes import command, then, why_none
from headroom.results.records import Quality
from headroom.site.book import Book

LOSSES = (0.01, 0.02, 0.05)
SPEEDS = (1.1, 1.2, 1.5, 2.0)
COMMON = (0.01, ("speed-1.2", "memory-0.2", "parameters-0.3"))  # of the table, which needs no scripts
MOST = 3  # cards for one wish


@dataclass(frozen=True)
class Want:
    """One thing that a reader can want, and how it is said."""

    name: str  # in the hash
    words: str
    field: str  # of ``Wish``
    value: float

    @classmethod
    def of(cls, field: str, value: float) -> Want:
        said = {"speed": f"{value:g} \N{MULTIPLICATION SIGN} speed"}
        said |= {"memory": f"{value:.0%} less memory", "parameters": f"{value:.0%} fewer parameters"}
        return cls(f"{field}-{value:g}", said[field].replace("%", " %"), field, value)


WANTS = (
    *(Want.of("speed", value) for value in SPEEDS),
    Want.of("memory", 0.2),
    *(Want.of("parameters", value) for value in (0.1, 0.3)),
)


@dataclass(frozen=True)
class Card:
    """One smaller model: what it is, what it loses and buys, and the command that makes it."""

    reply: Reply
    answer: Answer
    fits: str  # certified, measured, within (only the loss), beyond (only what is wanted) or most (neither)
    command: str
    instead: str  # why there is no command
    then: str  # what has to follow it

    @property
    def losses(self) -> list[tuple[str, float, float, float, float]]:
        """Task, loss, the ends of its interval, and what fine-tuning alone costs; the largest loss first."""
        every = (self.answer.offer, *self.answer.others)
        return [(one.task, 1 - one.retained, 1 - one.high, 1 - one.low, 1 - one.tuned) for one in every]


@dataclass(frozen=True)
class Asked:
    """One wish and its answers; none where no model of the kind was measured for it."""

    loss: float
    want: Want
    kind: str
    cards: list[Card]

    @property
    def key(self) -> str:
        """Its name for the scripts."""
        return f"{self.loss:g} {self.want.name} {self.kind}"


@dataclass(frozen=True)
class Budget:
    """All wishes of a page."""

    asked: list[Asked]
    kinds: list[str]

    @property
    def start(self) -> Asked:
        """The wish that the page opens with."""
        loss, (name, *_) = COMMON
        return next(one for one in self.asked if one.loss == loss and one.want.name == name)

    @property
    def common(self) -> list[Asked]:
        """Those of the table that needs no scripts."""
        loss, wants = COMMON
        return [one for one in self.asked if one.loss == loss and one.want.name in wants]

    @property
    def losses(self) -> tuple[float, ...]:
        return LOSSES

    @property
    def wants(self) -> tuple[Want, ...]:
        return WANTS


def offered(book: Book) -> list[Offer]:
    """Every smaller model that was measured."""
    tables = (book.board, book.quality, book.curves, book.speeds)
    return offers(book.records.cells, *([row for rows in table.values() for row in rows] for table in tables))


def budget(book: Book, every: Sequence[Offer], quality: Quality) -> Budget | None:
    """The answers to all wishes in one quality; None where nothing was measured."""
    there = {offer.kind for offer in every if offer.quality == quality}
    kinds = [kind for kind in KINDS if kind in there]
    asked = [_asked(book, every, quality, loss, want, kind) for kind in kinds for want in WANTS for loss in LOSSES]
    return Budget(asked, kinds) if kinds else None


def for_scripts(found: Budget, show: Callable[[Card, str], str]) -> dict[str, Any]:
    """Every wish and the cards that answer it, each card once however many wishes it answers.

    ``show`` gives the HTML of a card, whose command has the id of the second argument.
    """
    places: dict[str, tuple[int, Card]] = {}  # by what a card shows
    asked: dict[str, list[int]] = {one.key: [] for one in found.asked}
    for one in found.asked:
        for card in one.cards:
            place, _ = places.setdefault(show(card, ""), (len(places), card))
            asked[one.key].append(place)
    cards = [show(card, f"command-{place}") for place, card in places.values()]
    return {"asked": asked, "cards": cards, "none": "Nothing measured answers this."}


def _asked(book: Book, every: Sequence[Offer], quality: Quality, loss: float, want: Want, kind: str) -> Asked:
    wanted: dict[str, Any] = {want.field: want.value}
    replies = answers(every, Wish(loss=loss, kind=kind, quality=quality, **wanted))
    good = [_card(book, reply, reply.best, reply.sure) for reply in replies if reply.best]
    return Asked(loss, want, kind, good[:MOST] or _nearest(book, replies))


def _nearest(book: Book, replies: Sequence[Reply]) -> list[Card]:
    """Where nothing does both: what keeps within the loss and buys most, and what buys enough and loses least.

    Where there is neither, what buys most.
    """
    within = [(one, one.within) for one in replies if one.within]
    beyond = [(one, one.beyond) for one in replies if one.beyond]
    most = [(one, one.most) for one in replies if one.most and not within and not beyond]
    cards = [
        _card(book, *max(pairs, key=lambda pair: pair[1].gain or 0.0), fits)
        for fits, pairs in (("within", within), ("most", most))
        if pairs
    ]
    if beyond:
        cards.append(_card(book, *max(beyond, key=lambda pair: pair[1].offer.retained), "beyond"))
    return cards


def _card(book: Book, reply: Reply, answer: Answer, fits: str) -> Card:
    offer, cells = answer.offer, book.records.cells
    return Card(
        reply, answer, fits, command(offer, cells), why_none(offer), then(offer, cells.get((offer.model, offer.method)))
    )
