"""Throughput rows: every timed workload, and one row for every cell that was not timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headroom.results.load import DENSE, Records
from headroom.results.records import SpeedPoint
from headroom.results.rows import ThroughputRow
from headroom.results.validate import checked

LEAST_CLAIM = 0.05  # no difference under 5 % is claimed
COPIED = [name for name in SpeedPoint.model_fields if name != "plan_hash"]


def throughput_rows(records: Records) -> Iterator[ThroughputRow]:
    """Rows of all machines; the interleaved dense runs are inside every pair, so dense has no row of its own."""
    for machine, facts in records.machines.items():
        base = {"machine": machine, "processor": facts.accelerator or facts.processor}
        for model, method in records.pairs():
            path = records.folder / "speed" / machine / model / f"{method}.json"
            record = records.speeds.get((machine, model, method))
            cell = base | {"model": model, "method": method}
            if record is None:
                if method != DENSE and any(key[0] == machine for key in records.speeds):
                    reason = "No speed record of this cell on this machine."
                    yield checked(ThroughputRow, cell | {"status": "missing", "reason": reason}, path)
                continue
            if not record.points:
                yield checked(ThroughputRow, cell | {"status": record.status, "reason": record.reason}, path)
            for point in sorted(record.points, key=lambda p: (p.work, p.batch, p.length, p.label, p.target, p.seed)):
                yield checked(ThroughputRow, cell | _timed(point), path)


def _timed(point: SpeedPoint) -> dict[str, Any]:
    values = {name: getattr(point, name) for name in COPIED}
    samples = " ".join(f"{ratio:.4f}" for ratio in point.samples)
    return values | {"status": "ok", "samples": samples, "realised": realised(point), "claimed": claimed(point)}


def realised(point: SpeedPoint) -> float | None:
    """How much of the predicted speed-up was measured; unknown where none can be predicted."""
    return point.speedup / point.ideal if point.ideal else None


def claimed(point: SpeedPoint) -> bool:
    """Whether the page may speak of a difference: 5 % or more, and the whole interval on that side."""
    faster = point.speedup >= 1 + LEAST_CLAIM and point.speedup_low > 1
    slower = point.speedup <= 1 - LEAST_CLAIM and point.speedup_high < 1
    return (faster or slower) and not point.noisy
