"""What the examples of a board were enough for, in the words of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from headroom.site.numbers import fixed, percent

LOSSES = ("1", "5")
OPEN = "few"  # stands where a 0 would mean that there are not enough examples


def go(row: Any, loss: str) -> str:
    """What can go at a loss: as measured, and as certified by the interval; no 0 for want of examples."""
    measured, certified = getattr(row, f"measured_{loss}"), getattr(row, f"removable_{loss}")
    sure = OPEN if getattr(row, f"certifiable_{loss}") is False else brief(certified)
    return sure if measured is None or (sure == OPEN and not measured) else f"{brief(measured)}/{sure}"


def brief(share: float | None) -> str:
    """A percentage with a digit behind the point only where it has one."""
    return percent(share).removesuffix(".0")


def legend(rows: Iterable[Any], headings: Iterable[str]) -> Iterator[str]:
    """What stands under a board: how to read the shares that can go, and how far apart two rows have to lie."""
    ranked = [row for row in rows if row.ranked]
    if any(heading.startswith("go") for heading in headings):
        yield f"go: share that can go at a loss, as measured/certified by the interval; {OPEN}: too few examples."
    yield from filter(None, (uncertified(ranked, loss) for loss in LOSSES))
    yield from filter(None, map(seen, ranked[:1]))  # it is the same of all


def uncertified(ranked: Sequence[Any], loss: str) -> str:
    """For how many rows there are not enough examples to certify a loss; empty where there are for each."""
    short = [row for row in ranked if getattr(row, f"certifiable_{loss}") is False]
    whose = f"{len(short)} of {len(ranked)} methods" if len(short) < len(ranked) else "any method"
    return f"{not_enough(short)} to certify {loss} % for {whose}." if short else ""


def not_enough(rows: Iterable[Any]) -> str:
    """What there are too few of: seeds that lie apart widen an interval as well."""
    return "Not enough examples or seeds" if any(row.seeds > 1 for row in rows) else "Not enough examples"


def seen(row: Any) -> str:
    """The smallest difference that two rows of a board could have shown; empty where it is not known."""
    if row.visible_area is None:
        return ""
    known = {share: getattr(row, f"visible_{share}") for share in (25, 50)}
    points = [f"{percent(value)} points with {share} % gone" for share, value in known.items() if value is not None]
    also = f", or {', '.join(points)}" if points else ""
    return f"Two methods are told apart from {fixed(row.visible_area)} of area on{also} (the typical pair)."
