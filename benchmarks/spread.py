"""How far the reported speed-up moves from run to run, on a quiet machine and beside bursts of other work."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from benchmarks.shapes import bert
from headroom.api import Grain
from headroom.attention import without
from headroom.config.speed import Work
from headroom.measure.clock import ProcessClock
from headroom.measure.paired import Paired, compare
from headroom.measure.work import task
from headroom.models.shapes import plan

REPEATS = 8
PAIRS, MOST = 15, 41
BURSTS = 4  # processes that work and rest in turn
SEED = 20190525


def spread() -> Iterator[Figure]:
    """The same comparison over and over: half the heads of BERT-base, one sentence of 64 tokens, one thread."""
    import torch

    model = bert()
    removed = without(model, plan(model, Grain.HEAD, 0.5))
    work = Work(kind="encode", batch=1, length=64)
    with torch.inference_mode():
        calls = [task(one, work).call for one in (model, removed)]
        yield from spreads("quiet", calls)
        with bursts():
            yield from spreads("bursts", calls)


def spreads(name: str, calls: list[Any]) -> Iterator[Figure]:
    """Largest minus smallest over the middle, and the share of intervals that hold the middle."""
    found = [again(calls) for _ in range(REPEATS)]
    ratios = [pair.ratio for pair in found]
    middle = median(ratios)
    covered = sum(pair.low <= middle <= pair.high for pair in found) / REPEATS
    yield Figure(f"spread_{name}", (max(ratios) - min(ratios)) / middle, "ratio", "lower", 0.05)
    yield Figure(f"intervals_cover_{name}", covered, "ratio", "higher", 0.85)


def again(calls: list[Any]) -> Paired:
    (pair,) = compare(calls[0], calls[1:], PAIRS, ProcessClock(), wall_threads=1, most=MOST)
    return pair


@contextmanager
def bursts() -> Iterator[None]:
    """Other processes that keep the cores busy for a while, then rest."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=busy, args=(SEED + place,), daemon=True) for place in range(BURSTS)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.join()


def busy(seed: int) -> None:
    """Work and rest in turn, for up to a second each, until ended."""
    import random
    import threading

    draw, clock = random.Random(seed), ProcessClock()
    while True:
        left = draw.random()
        while left > 0:
            left -= clock.time(lambda: sum(range(100_000))).wall
        threading.Event().wait(draw.random())
