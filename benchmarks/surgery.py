"""Scoring, gating, removal, saving, loading and evaluation of BERT-base."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, milliseconds
from benchmarks.shapes import batch, bert
from headroom.api import Grain
from headroom.attention import gate, load_removed, remove, save_removed, without
from headroom.measure.clock import ProcessClock
from headroom.measure.paired import compare
from headroom.models.shapes import plan

PAIRS = 9


def surgery() -> Iterator[Figure]:
    """Every figure here is of one thread."""
    model = bert()
    yield from scoring(model)
    yield from removal(model)
    yield from files(model)
    yield from evaluation(model)


def scoring(model: Any) -> Iterator[Figure]:
    """One forward pass and one ``autograd.grad`` for a gate per example and head, in plain forward passes."""
    import torch

    inputs = batch(4, 128)

    def score() -> None:
        with gate(model, per="example") as gates:
            gates.slopes(model(**inputs).loss)

    (cost,) = compare(lambda: forward(model, inputs), [score], PAIRS, ProcessClock(), wall_threads=1)
    yield Figure("scoring_over_forward", 1 / cost.ratio, "ratio", "lower", 2.2)

    def gated() -> None:
        with gate(model, values=lambda site: torch.ones(12)):
            forward(model, inputs)

    (speed,) = compare(lambda: forward(model, inputs), [gated], PAIRS, ProcessClock(), wall_threads=1)
    yield Figure("gated_over_dense_speed", speed.ratio, "ratio", "higher", 0.95)


def forward(model: Any, inputs: dict[str, Any]) -> None:
    import torch

    with torch.no_grad():
        model(**inputs)


def removal(model: Any) -> Iterator[Figure]:
    """Half of the heads in place: the copies that are cut share their weights, so only removal is timed."""
    from statistics import median

    units = plan(model, Grain.HEAD, 0.5)
    laps = []
    for _ in range(7):
        copy = without(model, [])
        laps.append(ProcessClock().time(lambda copy=copy: remove(copy, units)).busy)
    yield Figure("removal_ms", 1000 * median(laps[1:]), "ms", "lower", 30)
    yield Figure("memory_over_dense", held(model, without(model, units)) / held(model), "ratio", "lower", 1.25)
    layers = without(model, plan(model, Grain.ATTENTION, 0.5))
    yield Figure("memory_over_dense_layers", held(model, layers) / held(model), "ratio", "lower", 1.05)


def held(*models: Any) -> int:
    """Bytes of the tensors of several models, each memory once."""
    tensors = (tensor for model in models for tensor in (*model.parameters(), *model.buffers()))
    return sum({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def files(model: Any) -> Iterator[Figure]:
    """Saving and loading half of the heads against the library's own for the dense model, a byte of weights for one."""
    removed = without(model, plan(model, Grain.HEAD, 0.5))
    with tempfile.TemporaryDirectory() as name:
        whole, half = Path(name) / "dense", Path(name) / "removed"
        dense_saving, dense_loading = rates(model.save_pretrained, type(model).from_pretrained, whole)
        saving, loading = rates(lambda folder: save_removed(removed, folder), load_removed, half)
    yield Figure("save_ms_per_mb", saving, "ms", "lower")
    yield Figure("load_ms_per_mb", loading, "ms", "lower")
    yield Figure("save_over_dense_per_byte", saving / dense_saving, "ratio", "lower", 1.1)
    yield Figure("load_over_dense_per_byte", loading / dense_loading, "ratio", "lower", 1.0)


def rates(save: Callable[[Path], Any], load: Callable[[Path], Any], folder: Path) -> tuple[float, float]:
    """Milliseconds a megabyte of saving to a folder and of loading from it."""
    times = milliseconds(lambda: save(folder), 5), milliseconds(lambda: load(folder), 5)
    size = (folder / "model.safetensors").stat().st_size / 1e6
    return times[0] / size, times[1] / size


def evaluation(model: Any) -> Iterator[Figure]:
    """Examples a second of the batched evaluation, half of the heads removed, on lengths from 16 to 128 tokens."""
    import torch

    from headroom.evaluate.batching import by_count

    removed = without(model, plan(model, Grain.HEAD, 0.5))
    lengths = list(range(16, 129, 4))

    def passes() -> None:
        for places in by_count(lengths, 8):
            longest = max(lengths[place] for place in places)
            with torch.inference_mode():
                removed(**batch(len(places), longest))

    yield Figure("evaluation_per_second", 1000 * len(lengths) / milliseconds(passes, 3), "1/s", "higher")
