"""What is known of a smaller model: its sizes, its speed, its quality; and on which work a model is timed."""

from __future__ import annotations

from dataclasses import dataclass

from headroom.config.speed import Work
from headroom.pruning.planning import Step
from headroom.results.records import TaskScore

WORKS = {
    "translation": Work(kind="encode", batch=8, length=32),
    "classification": Work(kind="encode", batch=8, length=64),
    "image-classification": Work(kind="images", batch=8),
    "language": Work(kind="prefill", batch=1, length=128),
}
CACHED = {"translation": Work(kind="generate", batch=1, length=8, new=8), "language": WORKS["language"]}


@dataclass(frozen=True)
class Sizes:
    """What a model weighs, counted."""

    parameters: int
    attention_parameters: int
    memory: float  # bytes: weights, and the tensors that are alive at once in the call that is timed
    kv: float | None  # bytes that a token of a sequence takes in the cache of self-attention; None: it keeps none


@dataclass(frozen=True)
class Timing:
    """The smaller model against the dense one, interleaved; a ratio above 1 means faster."""

    speedup: float
    low: float
    high: float
    dense_ms: float
    removed_ms: float


@dataclass
class Trial:
    """A step and what is known of it."""

    step: Step
    sizes: Sizes | None = None
    score: TaskScore | None = None
    timing: Timing | None = None
    broken: str = ""  # why it could not be scored


def said_of(work: Work) -> str:
    """A workload in words."""
    return f"{work.kind}, batch {work.batch}" + (f" x {work.length} tokens" if work.length else "")
