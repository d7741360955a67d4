"""Is a method better than the middle of the random band of the same model?"""

from __future__ import annotations

from statistics import median
from typing import Any

from headroom.results.curves import Curve, at, curve, series
from headroom.results.load import DENSE, Records
from headroom.results.records import CellRecord
from headroom.results.stats import area

SAME = "same targets"
BETWEEN = "interpolated on the attention parameters removed, because grains or targets differ"


def against_random(records: Records, model: str, task: str, record: CellRecord, own: Curve) -> dict[str, Any]:
    """The random columns of a leaderboard row; empty when no random method reaches the row's axis."""
    rival = _rival(records, model, task, record)
    if record.stochastic or record.method == DENSE or rival is None or len(own.steps) < 2:
        return {}
    band = curve(rival, task)
    same = sorted(rival.grains) == sorted(record.grains) and not record.natural
    pairs = _same_targets(own, band) if same else _between(own, band)
    seeds = band.seeds()
    if not seeds or not pairs:
        return {}
    mine = area(own.shares(), own.values())
    areas = [area(band.shares(), band.seed(seed)) for seed in seeds]
    return {
        "random_method": rival.method,
        "random_axis": SAME if same else BETWEEN,
        "above_random_middle": mine > median(areas),
        "above_random_targets": sum(value > middle for value, middle in pairs),
        "compared_targets": len(pairs),
        "random_p": (1 + sum(one >= mine for one in areas)) / (1 + len(areas)),
    }


def _rival(records: Records, model: str, task: str, record: CellRecord) -> CellRecord | None:
    """The random method of the same grains; for attention units any random method of attention units will do."""
    found = [records.cells.get((model, method)) for method in records.methods]
    draws = [cell for cell in found if cell and cell.stochastic]
    random = [cell for cell in draws if series(cell, task)]
    same = [cell for cell in random if sorted(cell.grains) == sorted(record.grains)]
    if same:
        return same[0]
    own = curve(record, task).group
    near = [cell for cell in random if curve(cell, task).group == "attention"]
    return near[0] if near and own == "attention" else None


def _same_targets(own: Curve, band: Curve) -> list[tuple[float, float]]:
    middles = {step.target: median(step.draws.values()) for step in band.steps[1:]}
    inner = [step for step in own.steps[1:] if step.target < 1 and step.target in middles]
    return [(step.retained, middles[step.target]) for step in inner]


def _between(own: Curve, band: Curve) -> list[tuple[float, float]]:
    middles = [median(step.draws.values()) if step.draws else 1.0 for step in band.steps]
    found = [
        (step.retained, at(band.shares(), middles, step.share(own.group))) for step in own.steps[1:] if step.target < 1
    ]
    return [(value, middle) for value, middle in found if middle is not None]
