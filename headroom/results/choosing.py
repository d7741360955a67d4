"""From a budget to a method: which measured model loses no more than this, and buys as much as that?

An offer keeps within the loss where its curve does up to there, as in "can go": certified when lower ends of intervals
do, and as measured when the values do. So with speed: certified by the lower end. Memory is certified where its peak
was measured, and predicted elsewhere. Shares of parameters are exact.
Loss counts from the dense model as it came, so that of a fine-tuned one it holds what fine-tuning alone costs the dense
model; the interval takes that for certain.
Each interval is of one offer: the best of many is certified by luck more often than one time in twenty.
A smaller model is one for all tasks of its model, so it has to keep within the loss on each, unless one is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headroom.errors import UserError
from headroom.results.offers import Offer, Timing
from headroom.results.stats import TOLERANCE, removable

Sure = Literal["certified", "measured", ""]  # empty: not even as measured
LEVELS: tuple[Sure, ...] = ("", "measured", "certified")


@dataclass(frozen=True)
class Wish:
    """What a reader can spare and wants. Of speed, memory and parameters at most one; none: as much as can go."""

    loss: float  # largest share of quality to lose
    speed: float | None = None  # times the dense model's
    memory: float | None = None  # share less
    parameters: float | None = None  # share fewer
    kind: str = ""  # of model, see ``kinds``; empty: any
    setting: str = ""  # as is, or recovered; empty: either
    task: str = ""  # that the loss is of; empty: every task of a model
    quality: str = "task"
    work: str = ""  # that the speed is wanted for; empty: each kind apart

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.speed, self.memory, self.parameters)) > 1:
            raise UserError("of speed, memory and parameters one can be wanted at a time: leave out the others.")

    def buys(self, offer: Offer, timing: Timing | None) -> tuple[float | None, float | None]:
        """What an offer buys of what is wanted, and what of that is certain; None where it was not measured."""
        if self.speed is not None:
            return (timing.speedup, timing.low) if timing else (None, None)
        if self.memory is not None:
            return offer.predicted_memory if offer.memory is None else offer.memory, offer.memory
        return offer.parameters, offer.parameters

    @property
    def wanted(self) -> float:
        """The least that it has to buy; 0 where anything will do."""
        return next((value for value in (self.speed, self.memory, self.parameters) if value is not None), 0.0)


@dataclass(frozen=True)
class Answer:
    """A smaller model beside a wish: whether it keeps within the loss, and whether it buys what is wanted."""

    offer: Offer  # on the task that it keeps least of
    others: tuple[Offer, ...]  # the same on the other tasks that the loss is of
    timing: Timing | None  # the workload that it was judged on, or the main one; None where it was not timed
    keeps: Sure
    buys: Sure
    gain: float | None  # what it buys of what is wanted: times the speed, or a share

    @property
    def sure(self) -> Sure:
        """The weaker of the two: an answer is certified only when both are."""
        return least((self.keeps, self.buys))


@dataclass(frozen=True)
class Reply:
    """The best answer on one model, setting and kind of work; where there is none, the nearest on either side."""

    model: str
    kind: str
    tasks: tuple[str, ...]  # that the loss is of
    setting: str
    work: str  # empty where no speed is wanted
    best: Answer | None = None
    within: Answer | None = None  # keeps within the loss as measured, and buys the most
    beyond: Answer | None = None  # buys what is wanted as measured, and loses the least
    most: Answer | None = None  # where there is neither: buys the most of what is wanted

    @property
    def sure(self) -> Sure:
        """How sure the best is; empty without one."""
        return self.best.sure if self.best else ""


def answers(offers: Iterable[Offer], wish: Wish) -> list[Reply]:
    """A reply for each model, setting and kind of work that the wish is about.

    Certified ones first, then those as measured, then those without an answer; inside these the order of the tables.
    Random draws are no answer: their figures are a mean of models of which a reader gets another one.
    """
    rows: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        chosen = (wish.kind or offer.kind, wish.setting or offer.setting, wish.task or offer.task, wish.quality)
        if chosen == (offer.kind, offer.setting, offer.task, offer.quality) and not offer.stochastic:
            rows[offer.model, offer.setting].append(offer)
    found = [reply for offered in rows.values() for reply in _replies(offered, wish)]
    return sorted(found, key=lambda reply: -LEVELS.index(reply.sure))


def least(levels: Iterable[Sure]) -> Sure:
    """The weakest of some levels."""
    return min(levels, key=LEVELS.index)


def _replies(offers: Sequence[Offer], wish: Wish) -> Iterator[Reply]:
    """The replies of one model and setting."""
    tasks = tuple(dict.fromkeys(offer.task for offer in offers if offer.ranked))
    works = dict.fromkeys(one.work for offer in offers for one in offer.timings if wish.work in ("", one.work))
    keeps = _keeps(offers, wish.loss)
    models: dict[tuple[str, str, float], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.task in tasks:
            models[offer.method, offer.natural, 0.0 if offer.natural else offer.target].append(offer)
    whole = [one for one in models.values() if len(one) == len(tasks)]
    first = offers[0]
    for work in works if works and wish.speed is not None else [wish.work]:
        found = [_answer(one, keeps, wish, work) for one in whole]
        yield Reply(first.model, first.kind, tasks, first.setting, work, **_best(found, wish))


def _answer(offers: Sequence[Offer], keeps: Mapping[Offer, Sure], wish: Wish, work: str) -> Answer:
    """One smaller model, on all tasks that the loss is of."""
    worst, *others = sorted(offers, key=lambda offer: (LEVELS.index(keeps[offer]), offer.retained))
    timing = next((one for one in worst.timings if work in ("", one.work)), None)
    gain, certain = wish.buys(worst, timing)
    buys = level(gain, certain, wish.wanted)
    return Answer(worst, tuple(others), timing, least(keeps[offer] for offer in offers), buys, gain)


def _keeps(offers: Sequence[Offer], loss: float) -> dict[Offer, Sure]:
    """How sure it is of each offer that it keeps within the loss, by the curve that it is a step of."""
    curves: dict[tuple[str, str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        curves[offer.group, offer.method, offer.task].append(offer)
    found: dict[Offer, Sure] = {}
    for curve in curves.values():
        shares = [offer.share for offer in curve]
        certified = removable(shares, [offer.low for offer in curve], loss)
        measured = removable(shares, [offer.retained for offer in curve], loss)
        found |= {offer: level(measured - offer.share, certified - offer.share, 0.0) for offer in curve}
    return found


def level(value: float | None, certain: float | None, wanted: float) -> Sure:
    """How sure it is that a figure is as large as wanted, from the figure and what is certain of it."""
    if value is None or value < wanted - TOLERANCE:
        return ""
    return "certified" if certain is not None and certain >= wanted - TOLERANCE else "measured"


def _best(found: Sequence[Answer], wish: Wish) -> dict[str, Answer | None]:
    """The answers of a reply: the best of those that do both; else the nearest on either side; else what buys most."""
    both = [answer for answer in found if answer.sure]
    if both and wish.wanted:  # more than was wanted is worth less than quality that is kept
        return {"best": max(both, key=lambda one: (LEVELS.index(one.sure), one.offer.low, -_cost(one)))}
    if both:
        return {"best": max(both, key=lambda one: (LEVELS.index(one.sure), one.gain or 0.0, -_cost(one)))}
    kept = [answer for answer in found if answer.keeps and answer.gain is not None]
    bought = [answer for answer in found if answer.buys]
    within = max(kept, key=lambda one: (one.gain or 0.0, one.offer.low), default=None)
    beyond = max(bought, key=lambda one: one.offer.retained, default=None)
    if within or beyond:
        return {"within": within, "beyond": beyond}
    known = [answer for answer in found if answer.gain is not None]
    return {"most": max(known, key=lambda one: (one.gain or 0.0, one.offer.retained), default=None)}


def _cost(answer: Answer) -> float:
    return answer.offer.cost_seconds or 0.0
