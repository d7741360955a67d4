"""Removed against dense by the package's own protocol."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.shapes import bert, llama
from headroom.api import Grain
from headroom.attention import without
from headroom.config.speed import Speed, Work
from headroom.measure.speed import speed_points
from headroom.models.shapes import plan

SETTINGS = Speed(pairs=15, most_pairs=21, works={})


def speedups() -> Iterator[Figure]:
    """Half of the heads of BERT-base, half of the attention layers of the Llama shape."""
    encode = Work(kind="encode", batch=8, length=128)
    yield from halved("bert_half_heads", bert(), Grain.HEAD, {"": (encode, 1.19)})
    works = {
        "_prefill": (Work(kind="prefill", batch=1, length=512), 1.19),
        "_decode": (Work(kind="decode", batch=1, length=64), 1.22),
    }
    yield from halved("llama_half_attention", llama(), Grain.ATTENTION, works)


def halved(name: str, model: object, grain: Grain, works: dict[str, tuple[Work, float]]) -> Iterator[Figure]:
    """Speed-up and share of the ideal that is realised, of a model without half of its units."""
    from headroom.measure.paired import threads

    removed = [(0.5, 0, "", "", without(model, plan(model, grain, 0.5)))]
    with threads(1):
        points = speed_points(model, removed, [work for work, _ in works.values()], SETTINGS)
    for (suffix, (_, aim)), point in zip(works.items(), points, strict=True):
        yield Figure(f"{name}{suffix}_speedup", point.speedup, "ratio", "higher", aim)
        yield Figure(f"{name}{suffix}_realised", point.speedup / point.ideal, "ratio", "higher", 0.95)
