"""The sentences at the top: which method keeps most, how sure that is, and what it buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headroom.site.numbers import fixed, percent, times
from headroom.site.qualities import WORDS


@dataclass(frozen=True)
class Answer:
    """What a reader takes home about one model and task."""

    model: str
    task: str
    best: Any | None = None  # leaderboard row; none where nothing is ranked
    verdict: str = ""
    random: str = ""
    gain: str = ""


def answer(model: str, task: str, rows: Sequence[Any], keeps: str = WORDS["task"].best) -> Answer:
    """The answer for the attention units of a task, from its leaderboard rows in any order.

    ``keeps`` is what the best of a quality is said to do.
    """
    ranked = [row for row in rows if row.ranked and row.group == "attention" and row.setting == "as is"]
    ranked = ranked or [row for row in rows if row.ranked and row.group == "attention"]
    if not ranked:
        return Answer(model, task)
    best = max(ranked, key=lambda row: row.area)
    return Answer(model, task, best, _verdict(best, ranked, keeps), _against_random(best, len(ranked)), _gain(best))


def _verdict(best: Any, ranked: Sequence[Any], keeps: str) -> str:
    interval = f"{fixed(best.area)} (95 % interval {fixed(best.area_low)} to {fixed(best.area_high)})"
    tied = [_named(row) for row in ranked if row.rank_all == 1 and row is not best]
    if len(ranked) == 1:
        return f"is the only ranked method, with an area of {interval}."
    if not tied:
        return f"{keeps}, clear of the rest: area {interval}."
    names = (
        f"{len(tied)} others" if len(tied) > 3 else ", ".join(tied[:-1]) + (" and " if len(tied) > 1 else "") + tied[-1]
    )
    return f"{keeps}, but {names} cannot be told apart from it: area {interval}."


def _named(row: Any) -> str:
    """A title; of a random choice with its draws, for few of them say little of what a random choice keeps."""
    return f"“{row.title}”" + (f" ({row.seeds} draw{'s' if row.seeds > 1 else ''})" if row.stochastic else "")


def _against_random(best: Any, ranked: int) -> str:
    if best.stochastic:
        return "No ranked method beats a random choice here." if ranked > 1 else "Nothing can be compared with it yet."
    if best.above_random_middle is None:
        return "No random method was run beside it."
    side = "above" if best.above_random_middle else "not above"
    return (
        f"Its area is {side} the middle of the random draws, its curve at {best.above_random_targets} of "
        f"{best.compared_targets} targets."
    )


def _gain(best: Any) -> str:
    if best.speedup_50 is None:
        return "Its speed at half of the units was not timed."
    band = f"{times(best.speedup_50)} (ideal {times(best.ideal_50)})"
    measured = f"With half of its units gone the model runs at {band} the dense speed"
    if abs(best.speedup_50 - 1) < 0.05:
        return f"{measured}, a difference too small to claim."
    return f"{measured}, on {best.work}, for {percent(best.parameters_50)} % fewer parameters."
