"""Timings of real shapes as their profile writes them: one shape timed at two lengths, one with no workload here."""

from __future__ import annotations

from pathlib import Path

import fixtures

from headroom.results.files import write
from headroom.results.speed_records import SpeedRecord
from headroom.shapes.params import ShapesParams
from headroom.shapes.tables import collect

SIZES = (64, 128)
ELSEWHERE = "shapes.llama-2-13b.works has none for cpu that is timed here."


def params(results: Path) -> ShapesParams:
    """The params of two shapes, of which a paper timed both."""
    config = {"family": "bert", "num_hidden_layers": 12}
    shape = {"config": config, "purpose": "classification", "grains": ["head", "attention"], "works": {}}
    claim = {"paper": "<b>Someone</b> 2019", "where": "Table 4", "on": "a GPU", "grain": "head", "target": 0.5}
    found = ShapesParams.model_validate(
        {
            "profile": "shapes",
            "results": "results/shapes",
            "work": "work/shapes",
            "shapes": {"bert-base": shape, "llama-2-13b": shape},
            "published": [claim | {"shape": name, "speedup": 1.2} for name in ("bert-base", "llama-2-13b")],
        }
    )
    return found.model_copy(update={"results": results / "shapes", "work": results / "work"})


def timed(grain: str) -> SpeedRecord:
    """Timings of bert-base at two lengths; the longer one with its memory."""
    record = fixtures.speed("shapes", fixtures.cell("quick", "bert-pydocs", "magnitude-heads"))
    known = {"bound": "compute", "dense_memory_mb": 264.7, "memory_mb": 238.3, "predicted_memory_mb": 230.0}
    points = [
        point.model_copy(update={"length": length} | (known if length == max(SIZES) else {"bound": "memory"}))
        for point in record.points
        if point.work == record.points[0].work and point.length == record.points[0].length
        for length in SIZES
    ]
    return record.model_copy(update={"model": "bert-base", "method": grain, "points": points})


def write_shapes(results: Path) -> ShapesParams:
    """The records, and the tables that are made of them, under ``results``."""
    found = params(results)
    fixtures.write_profile(results, "shapes", {})
    for grain in found.grains:
        away = timed(grain).model_copy(update={"model": "llama-2-13b", "points": [], "status": "unsupported"})
        for record in (timed(grain), away.model_copy(update={"reason": ELSEWHERE})):
            write(found.work / "speed" / record.model / f"{grain}.json", record)
    collect(found)
    return found
