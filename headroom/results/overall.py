"""One order over all models: per setting, quality and group of units the mean of every method's areas.

Models weigh the same, and so do the tasks of a model. Intervals resample the examples within rows, on the draws that
rank these, and the models between them: M - 1 of M are drawn with replacement, which is what gives a mean of few its
whole variance (Rao and Wu, JASA 83, 1988). A single model leaves nothing to draw, and the rows say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from headroom.results.board_rows import DuelRow, OverallRow
from headroom.results.leaderboard import Board
from headroom.results.load import DENSE
from headroom.results.stats import NORMAL, beats, paired_beats, paired_ranks, percentiles

RESAMPLES = 2000
SEED = 11
Array = np.ndarray


@dataclass(frozen=True)
class Race:
    """The methods that are ranked together on one model and task."""

    model: str
    task: str
    lanes: dict[str, int]  # method: its place in the arrays
    areas: Array  # (methods,)
    draws: Array  # (methods, RESAMPLES)
    won: Array  # (methods, methods): whether the interval of their difference puts the first above the second
    paired: bool

    @classmethod
    def of(cls, board: Board, number: int) -> Race:
        """A board on its own resamples; rows without draws are drawn from their intervals, each by itself."""
        areas, lows, highs = (
            np.array([row[name] for row in board.members]) for name in ("area", "area_low", "area_high")
        )
        generator = np.random.default_rng([SEED, number])
        if board.areas is None:
            spread = (highs - lows) / 2 / NORMAL
            draws = areas[:, None] + spread[:, None] * generator.standard_normal((len(areas), RESAMPLES))
            won = won_before(board) if board.known else beats(areas, lows, highs)
        else:  # the same resample for all methods, and another one for every row, whose examples are others
            draws = board.areas[:, generator.integers(0, board.areas.shape[1], RESAMPLES)]
            won = paired_beats(board.areas)
        lanes = {row["method"]: lane for lane, row in enumerate(board.members)}
        first = board.members[0]
        return cls(first["model"], first["task"], lanes, areas, draws, won, board.areas is not None)


def won_before(board: Board) -> Array:
    """Whether the first of two methods was above the second, (methods, methods), by the pairs that are known."""
    lanes = {row["method"]: lane for lane, row in enumerate(board.members)}
    won = np.zeros((len(lanes), len(lanes)), dtype=bool)
    for pair in board.pairs:
        won[lanes[pair.method], lanes[pair.other]] = pair.difference_low > 0
    return won


@dataclass(frozen=True)
class Field:
    """The races of one setting, quality and group of units."""

    key: tuple[str, str, str]
    races: Sequence[Race]
    facts: dict[str, Any]  # method: a row of the leaderboard that says most of it

    def shared(self, *methods: str) -> list[Race]:
        """The races in which all of these are."""
        return [race for race in self.races if all(method in race.lanes for method in methods)]

    @cached_property
    def complete(self) -> list[str]:
        """Methods that are in all races, the largest mean first."""
        found = [method for method in self.facts if len(self.shared(method)) == len(self.races)]
        values, _ = means(self.races, found)
        return [method for _, method in sorted(zip(-values, found, strict=True))]

    @cached_property
    def order(self) -> list[str]:
        """All methods: the complete ones, then those on most races."""
        others = sorted(set(self.facts) - set(self.complete), key=lambda method: (-len(self.shared(method)), method))
        return [*self.complete, *others]


def means(races: Sequence[Race], methods: Sequence[str]) -> tuple[Array, Array]:
    """The mean area of methods that are in all of these races, (methods,), and its draws, (methods, RESAMPLES)."""
    by_model: dict[str, list[Race]] = {}
    for race in races:
        by_model.setdefault(race.model, []).append(race)
    weights = model_weights(len(by_model))
    values, draws = np.zeros(len(methods)), np.zeros((len(methods), RESAMPLES))
    for place, own in enumerate(by_model.values()):
        lanes = [[race.lanes[method] for method in methods] for race in own]
        values += sum(race.areas[lane] for race, lane in zip(own, lanes, strict=True)) / len(own) / len(by_model)
        draws += weights[place] * sum(race.draws[lane] for race, lane in zip(own, lanes, strict=True)) / len(own)
    return values, draws


@lru_cache
def model_weights(models: int) -> Array:
    """The weight of each model on each resample, (models, RESAMPLES); each column sums to 1."""
    if models < 2:
        return np.ones((models, RESAMPLES))
    drawn = np.random.default_rng([SEED, models]).multinomial(models - 1, np.full(models, 1 / models), RESAMPLES)
    return np.asarray(drawn.T / (models - 1))


def overall(rows: Sequence[Any], boards: Sequence[Board]) -> tuple[list[OverallRow], list[DuelRow]]:
    """The order of every setting, quality and group, and its duels, from the leaderboard and what ranks it."""
    orders: list[OverallRow] = []
    duels: list[DuelRow] = []
    for field in fields(rows, boards):
        fought = list(duel_rows(field))
        orders += order_rows(field, fought)
        duels += fought
    return orders, duels


def fields(rows: Sequence[Any], boards: Sequence[Board]) -> Iterator[Field]:
    """A field for each setting, quality and group in which anything is ranked."""
    races: dict[tuple[str, str, str], list[Race]] = {}
    for number, board in enumerate(boards):
        first = board.members[0]
        races.setdefault((first["setting"], first["quality"], first["group"]), []).append(Race.of(board, number))
    for key, own in races.items():
        mine = [row for row in rows if (row.setting, row.quality, row.group) == key and row.method != DENSE]
        facts = {row.method: row for row in sorted(mine, key=lambda row: row.ranked)}  # a ranked row says most
        yield Field(key, own, facts)


def order_rows(field: Field, duels: Sequence[DuelRow]) -> Iterator[OverallRow]:
    """A row for each method, in order."""
    values, draws = means(field.races, field.complete)
    places = paired_ranks(draws) if field.complete else []
    models = len({race.model for race in field.races})
    for lane, method in enumerate(field.order):
        known = _standing(values, draws, places, lane) if lane < len(field.complete) else {}
        fact = field.facts[method]
        lacking = [f"{race.model}/{race.task}" for race in field.races if method not in race.lanes]
        yield OverallRow(
            **_names(field),
            method=method,
            **{name: getattr(fact, name) for name in ("title", "track", "grains")},
            complete=not lacking,
            rows=len(field.races) - len(lacking),
            rows_asked=len(field.races),
            models=models,
            missing=", ".join(lacking),
            between_models=models > 1,
            paired=all(race.paired for race in field.races),
            **known,
            **_record(duels, method),
        )


def _standing(values: Array, draws: Array, places: Sequence[tuple[int, int]], lane: int) -> dict[str, Any]:
    """Mean, place, and the distance to the next better method, with their intervals."""
    low, high = percentiles(draws[lane], values[lane])
    found: dict[str, Any] = {"area": values[lane], "area_low": max(0.0, low), "area_high": high}
    found["rank"], found["rank_last"] = places[lane]
    if lane:
        gap = values[lane - 1] - values[lane]
        found["behind"] = gap
        found["behind_low"], found["behind_high"] = percentiles(draws[lane - 1] - draws[lane], gap)
    return found


def _record(duels: Sequence[DuelRow], method: str) -> dict[str, int]:
    """Wins, ties and losses of a method against all others."""
    first = [duel for duel in duels if duel.method == method]
    second = [duel for duel in duels if duel.other == method]
    return {
        "wins": sum(duel.wins for duel in first) + sum(duel.losses for duel in second),
        "ties": sum(duel.ties for duel in (*first, *second)),
        "losses": sum(duel.losses for duel in first) + sum(duel.wins for duel in second),
    }


def duel_rows(field: Field) -> Iterator[DuelRow]:
    """A row for each two methods that meet in a race."""
    for pair in combinations(field.order, 2):
        races = field.shared(*pair)
        if not races:
            continue
        values, draws = means(races, pair)
        best, other = (0, 1) if values[0] >= values[1] else (1, 0)
        lanes = [(race, race.lanes[pair[best]], race.lanes[pair[other]]) for race in races]
        gap = values[best] - values[other]
        low, high = percentiles(draws[best] - draws[other], gap)
        wins, losses = sum(bool(r.won[a, b]) for r, a, b in lanes), sum(bool(r.won[b, a]) for r, a, b in lanes)
        yield DuelRow(
            **_names(field),
            method=pair[best],
            other=pair[other],
            rows=len(races),
            models=len({race.model for race in races}),
            wins=wins,
            ties=len(races) - wins - losses,
            losses=losses,
            difference=gap,
            difference_low=low,
            difference_high=high,
            paired=all(race.paired for race in races),
        )


def _names(field: Field) -> dict[str, Any]:
    return dict(zip(("setting", "quality", "group"), field.key, strict=True))
