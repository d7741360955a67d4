"""What a claim may look at: the records of a profile, found by file and parameters, and the model to try things on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from headroom.claims.estimate import Array, Estimate
from headroom.claims.finding import NotAtHand, NotTestable
from headroom.results.curves import Curve, Step, curve
from headroom.results.load import DENSE, Records, no_skill, part
from headroom.results.records import CellRecord, Point, Setting
from headroom.results.resamples import Counts, arrays, with_spread
from headroom.results.speed_records import SpeedPoint

if TYPE_CHECKING:
    from headroom.claims.probe import Probe

Place = float | str  # a target, or the name of a point of the method's own

# What a method did before it had the parameter: records of that time lack the key.
PLAIN: dict[str, Any] = {"iterative": False, "residual": True, "exact": False, "released": False}
SEED = 11


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one model."""

    model: str
    records: Records
    probe: Probe | None = None
    no_probe: str = "the prepared model is not at hand."

    def of(self, model: str) -> Evidence:
        """The records of another model of the profile."""
        return Evidence(model, self.records)

    @property
    def counted(self) -> bool:
        """Whether its counts per example are at hand, from which intervals are drawn."""
        return bool(arrays(self.records.scores, self.model, DENSE))

    @property
    def cells(self) -> list[CellRecord]:
        """The model's records, in the order of the profile."""
        found = (self.records.cells.get((self.model, method)) for method in self.records.methods)
        return [cell for cell in found if cell]

    def no_skill(self, task: str) -> str:
        """Why nothing can be retained on a task; empty when the dense model is clear of chance."""
        return no_skill(self.records, self.model, task) if self.cells else "The model has no record."

    @property
    def family(self) -> str:
        """Family of the model. Raises ``NotTestable`` without any record."""
        if not self.cells:
            raise NotTestable("The model has no record.")
        return self.cells[0].family

    def tried(self) -> Probe:
        """The model itself. Raises ``NotAtHand`` where it lies elsewhere, ``NotTestable`` where it was never scored."""
        if self.probe is None:
            scored = any(cell.tasks for cell in self.cells)
            raise (NotAtHand if scored else NotTestable)(f"This has to be measured on the model, and {self.no_probe}")
        return self.probe

    def every(self, stem: str, **parameters: Any) -> list[CellRecord]:
        """Records of entries behind ``methods/<stem>.py`` with these parameters, those that are in order."""
        return [cell for cell in self.cells if cell.status != "unsupported" and _is(cell, stem, parameters)]

    def record(self, stem: str, **parameters: Any) -> CellRecord:
        """The first such record. Raises ``NotTestable`` saying what was looked for."""
        found = self.every(stem, **parameters)
        if found:
            return found[0]
        refused = [cell.reason for cell in self.cells if _is(cell, stem, parameters)]
        if refused:
            raise NotTestable(refused[0])
        how = " with " * bool(parameters) + ", ".join(f"{name}={value}" for name, value in parameters.items())
        raise NotTestable(f"No method of this profile is methods/{stem}.py{how}.")

    def shared(self, wanted: Iterable[float], *records: CellRecord, setting: Setting = "as is") -> list[float]:
        """Of the wanted targets, those at which every record removes something. Raises ``NotTestable`` when none."""
        at = [{point.target for point in good(record, setting) if point.units_removed} for record in records]
        found = sorted(set(wanted).intersection(*at))
        if not found:
            names = " and ".join(record.method for record in records)
            raise NotTestable(f"{names}: no {setting} points that remove anything at {_listed(wanted)}.")
        return found

    def kept(self, record: CellRecord, task: str, wanted: Sequence[Place], setting: Setting = "as is") -> Estimate:
        """Retained quality, mean over targets or natural points and over seeds. ``NotTestable`` when one is missing."""
        steps = [
            step for step in self.curve(record, task, setting).steps if step.target in wanted or step.place in wanted
        ]
        if len(steps) < len(wanted):
            raise NotTestable(f"{record.method} has not all of its {setting} points at {_listed(wanted)}.")
        value, count = sum(step.retained for step in steps) / len(steps), len(steps)
        draws = mean_draws(self.records.scores, record, task, steps, setting)
        if draws is not None:
            return Estimate.of(value, draws)
        # neighbouring targets share examples and seeds: their half-widths are averaged and not shrunk
        return Estimate(value, sum(step.low for step in steps) / count, sum(step.high for step in steps) / count)

    def curve(self, record: CellRecord, task: str, setting: Setting = "as is") -> Curve:
        return curve(part(record, setting), task)

    def speeds(self, record: CellRecord) -> list[SpeedPoint]:
        """Timed points of a cell on the machine that timed most of them."""
        keys = ((machine, self.model, record.method) for machine in sorted(self.records.machines))
        found = [self.records.speeds[key].points for key in keys if key in self.records.speeds]
        return max(found, key=len, default=[])


def _is(cell: CellRecord, stem: str, parameters: dict[str, Any]) -> bool:
    kinds = cell.parameters.get("kinds", cell.parameters.get("where", "all"))  # where: Voita's, in older records
    held = PLAIN | cell.parameters | {"kinds": kinds}
    asked = {"released": False} | parameters  # a claim is of the paper, unless it names what the released code does
    same = all(held.get(name) == value for name, value in asked.items())
    return PurePosixPath(cell.file).stem == stem and same


def _listed(places: Iterable[Place]) -> str:
    return ", ".join(place if isinstance(place, str) else f"{place:g}" for place in places)


def good(record: CellRecord, setting: Setting = "as is") -> list[Point]:
    """Scored points of the series in a setting, by rising share."""
    points = [p for p in record.points if p.setting == setting and p.status == "ok" and not p.label]
    return sorted(points, key=lambda point: (point.seed, point.units_removed))


def mean_draws(
    scores: Path | None, record: CellRecord, task: str, steps: Sequence[Step], setting: Setting
) -> Array | None:
    """Retained quality, mean over steps and seeds, on each resample, (resamples,); None without per-example scores.

    All methods share the resamples, so that two of a claim are compared in pairs.
    """
    if task not in record.tasks:
        return None
    counts = Counts(scores, record.model, task, setting, record.tasks[task])
    kept = counts.kept(record.method, sorted(steps[0].draws), steps)
    if kept is None:
        return None
    return with_spread(kept.mean(axis=1), np.random.default_rng([SEED, *record.method.encode()]))
