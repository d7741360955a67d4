"""What to do, by regime: what to try first, when to fine-tune, when to leave attention alone. Computed, never written.

Each rule names the rows that it rests on. Where these do not decide, it says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headroom.results.choosing import Wish, answers
from headroom.results.offers import Offer
from headroom.results.records import Quality
from headroom.site.book import SETTINGS, Book
from headroom.site.budget import SPEEDS
from headroom.site.numbers import fixed, seconds, times
from headroom.site.ordering import Order, orders

LOSS = 0.05  # that attention is weighed against other units at
GONE = (0.25, 0.5, 0.75)  # shares removed at which fine-tuning is judged
NEAR = 0.05  # shares as close as that are as good as the same
UNDECIDED = "The tables do not decide"
Row = tuple[str, str, str]  # a model, a task (empty: all of the model), and what it says


@dataclass(frozen=True)
class Rule:
    """One line: the regime, what to do in it, and the rows behind it."""

    regime: str
    says: str
    rows: tuple[Row, ...]
    page: str = ""  # where more of it stands


def rules(book: Book, offers: Sequence[Offer], quality: Quality) -> list[Rule]:
    """The three rules of a profile, in the quality of the page."""
    rows = [row for found in book.board.values() for row in found if row.ranked and row.quality == quality]
    every = [offer for offer in offers if offer.quality == quality]
    return [first(orders(book, quality), rows), fine_tune(every), leave_alone(every, quality)]


def first(found: Sequence[Order], rows: Sequence[Any]) -> Rule:
    """What to try first among attention units without training: first over all rows, the cheapest of a tie."""
    regime = "Try first, without fine-tuning"
    order = next((one for one in found if (one.setting, one.group) == ("as is", "attention") and one.first), None)
    if order is None:
        return Rule(regime, f"{UNDECIDED}: no method of attention units is ranked on every row as is.", ())
    own = [row for row in rows if row.setting == "as is" and row.group == "attention"]
    chance = {row.method for row in own if row.stochastic}
    if any(one.method in chance for one in order.first):
        return Rule(regime, *_undecided(order, chance, own), "overall.html")
    cost = {one.method: _mean(row.cost_seconds for row in own if row.method == one.method) for one in order.first}
    known = [one for one in order.first if cost[one.method] is not None]
    pick = min(known, key=lambda one: cost[one.method] or 0.0) if known else order.first[0]
    area = f"mean area {fixed(pick.area)}, {fixed(pick.area_low)} to {fixed(pick.area_high)}"
    price = f", {seconds(cost[pick.method])} of scoring" if known else ""
    tied = f"the cheapest of {len(order.first)} that may be first" if len(order.first) > 1 else "clear of all others"
    return Rule(regime, f"{pick.title}: {tied} over all rows ({area}{price}).", _rows_of(pick, own), "overall.html")


def _undecided(order: Order, chance: set[str], own: Sequence[Any]) -> tuple[str, tuple[Row, ...]]:
    """Where random ones may be first too the means say nothing; the duels, row by row, may."""
    known = [one for one in order.complete if one.method not in chance]
    if not known:
        return f"{UNDECIDED}: only random methods are ranked on every row.", ()
    pick = max(known, key=lambda one: one.wins - one.losses)
    who = f"{len(order.first)} of {len(order.complete)} methods may be first over all rows, random ones among them"
    duels = f"{pick.wins} won, {pick.ties} open, {pick.losses} lost"
    return f"{UNDECIDED}: {who}. In duels won less lost {pick.title} leads ({duels}).", _rows_of(pick, own)


def _rows_of(pick: Any, rows: Sequence[Any]) -> tuple[Row, ...]:
    mine = [row for row in rows if row.method == pick.method]
    return tuple((row.model, row.task, f"{fixed(row.area, 2)}, place {row.rank_all}") for row in mine)


def fine_tune(offers: Sequence[Offer]) -> Rule:
    """From which share on the best of what was fine-tuned keeps more than the best as is, beyond both intervals.

    Only steps that were asked for in both settings are compared: between two of them a curve is a guess, and a point of
    a method's own is that of one method beside the best of many.
    """
    regime = "Fine-tune"
    rows: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.ranked and offer.group == "attention" and not (offer.stochastic or offer.natural):
            rows[offer.model, offer.task].append(offer)
    found = {place: found for place, own in rows.items() if (found := _tuned(own))}
    if not found:
        return Rule(regime, f"{UNDECIDED}: no model was measured both as is and fine-tuned.", ())
    start, counts = 0.0, []
    for share in GONE:
        effects = [effect[share] for effect in found.values() if share in effect]
        if not effects:
            continue
        helped, hurt = effects.count(1), effects.count(-1)
        worse = f" (on {hurt} it costs more than it saves)" if hurt else ""
        counts.append(f"on {helped} of {len(effects)} with {100 * share:g} % gone{worse}")
        if 2 * helped > len(effects):
            start = start or share
    count = f"of the rows measured in both ways it saves quality beyond the intervals {', '.join(counts)}"
    says = f"With {100 * start:g} % gone or more: {count}." if start else f"{UNDECIDED}: {count}."
    return Rule(regime, says, tuple((*place, _effects(effect)) for place, effect in found.items()))


def _tuned(offers: Sequence[Offer]) -> dict[float, int]:
    """What fine-tuning does to the best of a row at each share: 1 helps, -1 hurts, 0 within the intervals."""
    found = {}
    for share in GONE:
        near = [offer for offer in offers if abs(offer.share - share) <= NEAR]
        both = [[offer for offer in near if offer.setting == setting] for setting in SETTINGS]
        if all(both):
            bare, tuned = (max(own, key=lambda offer: offer.retained) for own in both)
            found[share] = int(tuned.low > bare.high) - int(bare.low > tuned.high)
    return found


def _effects(effect: Mapping[float, int]) -> str:
    said = []
    for verb, sign in (("helps", 1), ("hurts", -1)):
        if shares := [f"{100 * share:g} %" for share, one in effect.items() if one == sign]:
            said.append(f"{verb} with {', '.join(shares)} gone")
    return "; ".join(said) or "no difference beyond the intervals"


def leave_alone(offers: Sequence[Offer], quality: Quality) -> Rule:
    """Models on which attention can go nowhere within a loss, or other units buy more speed at it."""
    regime = "Leave attention alone"
    bare = [offer for offer in offers if offer.setting == "as is" and offer.ranked]
    found: list[Row] = []
    others = 0
    for model in dict.fromkeys(offer.model for offer in bare):
        fast = {
            group: _fastest([offer for offer in bare if (offer.model, offer.group) == (model, group)], quality)
            for group in ("attention", "other")
        }
        if fast["other"] > fast["attention"]:
            found.append((model, "", f"other units {times(fast['other'])}, attention {_said(fast['attention'])}"))
        elif not fast["attention"] and not _any(bare, model, quality):
            found.append((model, "", f"no attention goes within {LOSS:.0%}".replace("%", " %")))
        else:
            others += 1
    if not bare:
        return Rule(regime, f"{UNDECIDED}: nothing was measured as is.", ())
    within = f"within {100 * LOSS:g} % loss"
    if found:
        where = f"On {len(found)} of {len(found) + others} models"
        says = f"{where}: {within} other units buy more speed, or no attention can go."
    else:
        says = f"On none of {others} models do other units buy more speed {within}, and on each some attention can go."
    return Rule(regime, says, tuple(found))


def _fastest(offers: Sequence[Offer], quality: Quality) -> float:
    """The largest of the speeds of the front page that one of the offers has within the loss; 0 where none has."""
    reached = [
        speed
        for speed in SPEEDS
        if any(reply.best for reply in answers(offers, Wish(loss=LOSS, speed=speed, quality=quality)))
    ]
    return max(reached, default=0.0)


def _any(offers: Sequence[Offer], model: str, quality: Quality) -> bool:
    own = [offer for offer in offers if offer.model == model and offer.group == "attention"]
    return any(reply.best for reply in answers(own, Wish(loss=LOSS, quality=quality)))


def _said(speed: float) -> str:
    return times(speed) if speed else f"less than {times(min(SPEEDS))}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
