"""The tables and pages of 40 methods on 10 models, from records that never ran."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from headroom.config.project import root
from headroom.measure.clock import Stopwatch
from headroom.measure.machine import machine
from headroom.results.collecting import collect
from headroom.results.files import write
from headroom.site import build

METHODS, MODELS = 40, 10
PATTERN = Path("results/real/quality/vit-mnist")  # a cell of the committed real profile, written out under many names


def pages() -> Iterator[Figure]:
    """Seconds of wall clock for `collect` and for the site."""
    with tempfile.TemporaryDirectory() as name:
        results, site = Path(name) / "bench", Path(name) / "site"
        methods, models = records(results)
        with Stopwatch() as collecting:
            collect("bench", methods, models, results)
        yield Figure("collect_s", collecting.seconds, "s", "lower")
        with Stopwatch() as building:
            build("bench", results, site)
        yield Figure("site_build_s", building.seconds, "s", "lower", 30)


def records(results: Path) -> tuple[list[str], list[str]]:
    """Quality records of every (method, model), and the names."""
    pattern = json.loads((root() / PATTERN / "michel-greedy.json").read_text(encoding="utf-8"))
    dense = json.loads((root() / PATTERN / "dense.json").read_text(encoding="utf-8"))
    methods = ["dense", *(f"method-{place:02}" for place in range(1, METHODS))]
    models = [f"model-{place:02}" for place in range(MODELS)]
    for model in models:
        for method in methods:
            content = (dense if method == "dense" else pattern) | {"profile": "bench", "method": method, "model": model}
            path = results / "quality" / model / f"{method}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
    here = machine(1)
    write(results / "machines" / f"{here.fingerprint}.json", here)
    write(results / "machine.json", here)
    return methods, models
