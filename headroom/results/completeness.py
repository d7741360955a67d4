"""Are the points of a cell those that were asked for? By name, because twice the same point is as many as two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headroom.results.load import Records
from headroom.results.records import DENSE, CellRecord, Point, Setting

Name = tuple[str, int]  # target or natural name, and seed: a point of a series, in one setting


@dataclass(frozen=True)
class Completeness:
    """The points of a cell in one setting and on one task: wanted, there, and scored."""

    wanted: frozenset[Name]
    scored: frozenset[Name]  # there may be more than were wanted
    held: frozenset[Name]  # scored or failed
    unseen: tuple[int, ...]  # seeds without any point, of a method with points of its own
    setting: Setting

    @classmethod
    def of(cls, records: Records, record: CellRecord, task: str, targets: set[float]) -> Completeness:
        """Compare a record of a view with what is asked; ``targets`` are those of the model in its setting."""
        own = [point for point in record.points if not point.label and point.target > 0]
        held = frozenset(map(name_of, own))
        seeds = {point.seed for point in record.points if not point.label} or {0}
        whole = records.whole.get((record.model, record.method), record)  # a seed may lack one setting alone
        asked = set(records.asked.seeds_of(whole)) if records.asked else seeds
        wanted = frozenset((str(target), seed) for target in targets for seed in asked)
        if record.method == DENSE:
            wanted = frozenset()
        elif record.natural:  # what it meant to have, scored or failed
            wanted = held
        return cls(
            wanted=wanted,
            scored=frozenset(name_of(point) for point in own if point.status == "ok" and task in point.tasks),
            held=held,
            unseen=tuple(sorted(asked - seeds)) if record.natural else (),
            setting=records.setting,
        )

    def reason(self, record: CellRecord) -> str:
        """Why the cell is not complete; empty when it is."""
        found = []
        if not self.wanted <= self.scored or not self.wanted:
            found.append(f"{len(self.wanted & self.scored)} of {len(self.wanted)} points were scored.")
            found += [point.reason for point in record.points if point.status != "ok" and point.reason][:1]
        if absent := self.wanted - self.held:
            found.append(f"There is no point for {self._listed(absent)}.")
        if self.unseen:
            found.append(f"There is no point for seed {', '.join(map(str, self.unseen))}, {self.setting}.")
        if foreign := self.held - self.wanted:
            found.append(f"Nobody asked for {self._listed(foreign)}.")
        return " ".join(found)

    def _listed(self, names: Iterable[Name]) -> str:
        order = sorted(names)
        (place, seed), more = order[0], len(order) - 1
        return f"target {place}, seed {seed}, {self.setting}" + (f", and {more} more" if more else "")


def name_of(point: Point) -> Name:
    """What a point is called inside its setting."""
    return point.place, point.seed


def targets_asked(records: Records, model: str) -> set[float]:
    """What the profile asks of every cell of a model in a setting.

    Without params.yaml at hand: the targets that any record holds.
    """
    if records.asked:
        return set(records.asked.targets_of(model, records.setting))
    cells = [records.cells.get((model, method)) for method in records.methods]
    held = [cell for cell in cells if cell and cell.method != DENSE and not cell.natural]
    points = [point for cell in held for point in cell.points]
    return {point.target for point in points if not point.label and point.target > 0}
