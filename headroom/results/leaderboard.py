"""Leaderboard rows: what a reader compares. Only complete rows are ranked; the others say why they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from headroom.results.against_random import against_random
from headroom.results.board_rows import LeaderboardRow, PairRow
from headroom.results.completeness import Completeness, targets_asked
from headroom.results.curves import AXES, Curve, at, curve, kv_of_dense, removable_step
from headroom.results.load import DENSE, Records, dense_kept, no_skill
from headroom.results.power import HEADLINES, LOSSES, can_go, name_of, visible
from headroom.results.published import Known
from headroom.results.records import CellRecord
from headroom.results.resamples import Draws, draws_of, pair_rows
from headroom.results.rows import Row
from headroom.results.speeds import main_machine, speed_columns, work_of
from headroom.results.stats import area, independent_difference, over_seeds, paired_ranks, percentiles, ranks

SHARES = (0.25, 0.5, 0.75)
HALF = 0.5
FLOOR_OF_ITS_OWN = "floor"  # what methods call the natural point that removes all they can
LEAST_OWN = 3  # points of a method's own that make a curve between dense and floor


@dataclass(frozen=True)
class Board:
    """Rows that are ranked together, the largest area first, and the draws that rank them where there are any."""

    members: Sequence[Mapping[str, Any]]  # columns of the leaderboard
    draws: Draws | None
    known: Known | None = None  # in place of draws: what these said where they were

    @property
    def areas(self) -> np.ndarray | None:
        """The area of each row on each resample."""
        return self.draws.areas if self.draws else None

    @cached_property
    def pairs(self) -> Sequence[PairRow]:
        """A row for each two of them; none where their intervals are all that is known."""
        return self.known.pairs if self.known else list(pair_rows(self.members, self.areas))


def leaderboard_rows(records: Records, boards: list[Board] | None = None) -> list[Row]:
    """One row per (model, task, method), best area first inside a model, task and group.

    What is ranked together is added to ``boards``: pairs and the order over all models come from the same draws.
    """
    machine = main_machine(records)
    rows = []
    for model in records.models:
        for task in records.tasks(model) or [""]:
            targets = targets_asked(records, model)
            methods = [method for name, method in records.pairs() if name == model]
            cells = [_row(records, model, method, task, targets, machine) for method in methods]
            rows += _ranked(records, model, task, cells, last(targets), boards)
    return rows


def last(targets: set[float]) -> float:
    """Where every curve ends. Points of a method's own may go on: they are shown, and count for no area."""
    return max(targets, default=1.0)


def _row(records: Records, model: str, method: str, task: str, targets: set[float], machine: str) -> dict[str, Any]:
    record = records.cells.get((model, method))
    values: dict[str, Any] = {"model": model, "method": method, "task": task, "machine": machine}
    values["setting"], values["quality"] = records.setting, records.quality
    if record is None:
        reason = "No record was found; run `dvc repro` to make it."
        return values | _known_elsewhere(records, method) | {"status": "missing", "reason": reason}
    own = curve(record, task, kv_of_dense(records, model))
    compared = own.until(last(targets))
    seeds = max(len({point.seed for point in record.points if not point.label}), 1)
    count = Completeness.of(records, record, task, targets)
    values |= _facts(record, own) | {"status": record.status}
    values |= {"points_ok": len(count.scored), "points_asked": len(count.wanted)}
    values["reason"] = (
        _why_not_ranked(record, count)
        or no_skill(records, model, task)
        or (_no_curve(compared) if record.natural else "")
    )
    if values["reason"]:
        return values
    values |= {"ranked": True, "seeds": seeds, "dense_kept": dense_kept(records, model, task)} | _quality(compared)
    values |= against_random(records, model, task, record, compared)
    values["work"] = work_of(records, machine, model)
    for loss in LOSSES:
        step = removable_step(own, loss)
        values |= can_go(own, loss) | speed_columns(records, machine, model, method, name_of(loss), step, own.steps[0])
    for step in [step for step in own.steps if step.target == HALF]:
        values |= speed_columns(records, machine, model, method, "50", step, own.steps[0])
    return values


def _known_elsewhere(records: Records, method: str) -> dict[str, Any]:
    """What other models' records say of a method whose record is missing here, so that it stands in its group."""
    for model in records.models:
        if record := records.cells.get((model, method)):
            return _facts(record, Curve(curve(record, "").group, ()))
    return {"group": "attention"}


def _facts(record: CellRecord, own: Curve) -> dict[str, Any]:
    costs = record.costs
    names = ("seconds", "forward", "backward", "updates")
    values: dict[str, Any] = {
        "track": record.track,
        "title": record.title,
        "paper": record.paper,
        "grains": "+".join(record.grains),
        "stochastic": record.stochastic,
        "group": own.group,
        "axis": AXES[own.group],
    }
    if costs:
        values |= {f"cost_{name}": fmean(getattr(cost, name) for cost in costs) for name in names}
        values["cost_memory_mb"] = max(cost.peak_memory_mb for cost in costs)
    return values


def _why_not_ranked(record: CellRecord, count: Completeness) -> str:
    said = record.reason or f"The cell is {record.status}."
    if record.status != "ok" and not count.scored:
        return said
    if record.method == DENSE:
        return "The dense model is the reference of every row."
    return count.reason(record) or (said if record.status != "ok" else "")


def _no_curve(own: Curve) -> str:
    """Why points of a method's own have no area; empty when they have.

    A sweep that removed nothing, or everything, would be ranked as the straight line from dense to floor. Where a
    method reaches only some of the units its floor lies below 1, and is an end too.
    """
    ends = {0.0, 1.0, *(round(step.target, 6) for step in own.steps if step.natural == FLOOR_OF_ITS_OWN)}
    between = {round(step.target, 6) for step in own.steps} - ends
    if len(between) < LEAST_OWN:
        return f"Its own points stand at {len(between)} shares between dense and floor; a curve needs {LEAST_OWN}."
    return "" if own.seeds() else "No seed of it has a point at every step of its curve."


def _quality(own: Curve) -> dict[str, Any]:
    shares = own.shares()
    every = [area(shares, own.seed(seed)) for seed in own.seeds()]
    lows, highs = (area(shares, own.values(f"examples_{end}")) for end in ("low", "high"))
    mean, low, high = over_seeds(every, [lows], [highs])
    values: dict[str, Any] = {
        "area": mean,
        "area_low": low,
        "area_high": high,
        "area_least": min(every),
        "area_most": max(every),
        "area_all_parameters": area([step.parameters for step in own.steps], own.values()),
    }
    for share in SHARES:
        kept, least, most = (at(shares, own.values(which), share) for which in ("retained", "low", "high"))
        name = f"lost_{name_of(share)}"
        values[name] = None if kept is None else 1 - kept
        values[f"{name}_error"] = None if least is None or most is None else (most - least) / 2
    return values


def _ranked(
    records: Records, model: str, task: str, rows: list[dict[str, Any]], end: float, boards: list[Board] | None
) -> list[Row]:
    """Give the complete rows their places, per track as the protocol asks and over all tracks beside it."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row.get("ranked"):
            groups.setdefault((row["setting"], row["group"]), []).append(row)
    for members in groups.values():
        members.sort(key=lambda row: -row["area"])
        curves = [(row["method"], curve(records.cells[model, row["method"]], task).until(end)) for row in members]
        draws = draws_of(records, model, task, curves, HEADLINES)
        board = Board(members, draws, None if draws else records.published.known(members))
        if boards is not None:
            boards.append(board)
        _compare(members, board.areas)
        seen = visible(members, board.draws)
        _place(members, board.areas, list(range(len(members))), "rank_all")
        for track in {row["track"] for row in members}:
            _place(members, board.areas, [place for place, row in enumerate(members) if row["track"] == track], "rank")
        for row in members:
            # only after the ranking: the draws can put it below what an area can be
            row.update(seen, area_low=max(0.0, row["area_low"]))
            row.update(board.known.columns[row["method"]] if board.known else {})
    order = sorted(rows, key=lambda row: (row["group"], not row.get("ranked"), -row.get("area", 0.0)))
    return [LeaderboardRow.checked(row, records.path(model, row["method"])) for row in order]


def _compare(members: list[dict[str, Any]], draws: np.ndarray | None) -> None:
    """The interval of every area and its distance to the next better row, on the same resamples where there are any."""
    if draws is not None:
        for row, own in zip(members, draws, strict=True):
            row["area_low"], row["area_high"] = percentiles(own, row["area"])
    for place, row in enumerate(members):
        row["paired"] = draws is not None
        if place == 0:
            continue
        better = members[place - 1]
        gap = row["behind"] = better["area"] - row["area"]
        if draws is not None:
            row["behind_low"], row["behind_high"] = percentiles(draws[place - 1] - draws[place], gap)
            continue
        one, other = ((each["area"], each["area_low"], each["area_high"]) for each in (better, row))
        _, row["behind_low"], row["behind_high"] = independent_difference(one, other)


def _place(members: list[dict[str, Any]], draws: np.ndarray | None, chosen: list[int], name: str) -> None:
    rows = [members[place] for place in chosen]
    if draws is None:
        areas, lows, highs = ([row[key] for row in rows] for key in ("area", "area_low", "area_high"))
        found = ranks(areas, lows, highs)
    else:
        found = paired_ranks(draws[chosen])
    for row, (first, last) in zip(rows, found, strict=True):
        row[name], row[f"{name}_last"] = first, last
