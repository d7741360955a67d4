"""How fast a model is on this machine: what both ways of finding it out give, and a stopwatch for a quiet machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from headroom.config.speed import Work
from headroom.estimate.figures import Basis
from headroom.measure.clock import clock_for
from headroom.measure.devices import kind

Offer = tuple[str, ...]  # the units that a method may remove
LEAST = 0.1  # of a dense point: what is left of a model still answers


class Step(NamedTuple):
    """Of a training, in seconds."""

    beside: float  # what it takes beside its steps
    seconds: float  # of one step


NO_STEP = Step(0.0, 0.0)  # of a model that is not trained


@dataclass(frozen=True)
class Pace:
    """Seconds of one worker on a quiet machine; tokens with their padding."""

    basis: Basis
    note: str = ""  # how this was found, a sentence
    prepare: float = 0.0  # data, tokenizer, writing; without the steps of a training
    train: Step = NO_STEP
    recover: Step = NO_STEP
    load: float = 0.0  # model and tasks in a fresh process
    dense: float = 0.0  # a point with nothing removed; as much for each process, to compare others with it
    half: Mapping[Offer, float] = field(default_factory=dict)  # a point with half of these units removed
    book: float = 0.0  # the intervals of a point, worked out by the process that keeps the books
    forward: float = 0.0  # a calibration example
    backward: float = 0.0
    calls: Mapping[Work, float] = field(default_factory=dict)  # a call of the stage `time`
    train_tokens: float = 0  # of a step
    recover_tokens: float = 0
    point_tokens: float = 0
    dense_tokens: float = 0  # that each process passes, to compare others with the dense model
    example_tokens: float = 0
    memory: int = 0  # bytes of a process that measures
    calibrate: int = 0  # examples that methods may look at

    def point(self, offer: Offer, share: float) -> float:
        """Seconds of a point with a share of the units removed: on the line through none and half of them."""
        half = self.half.get(offer, self.dense)
        return max(LEAST * self.dense, self.dense + 2 * share * (half - self.dense))


def quiet(call: Callable[[], Any], device: str, threads: int, turns: int = 1) -> float:
    """Seconds that a call takes where nothing else runs: the best of some turns.

    On one thread that is process time, which other jobs do not lengthen. On several, process time is more than a quiet
    machine takes, and wall clock more than that on a busy one, so the lesser of the two is the nearer.
    """
    device = kind(device)
    laps = [clock_for(device).time(call) for _ in range(turns)]
    return min(min(lap.busy, lap.wall) if device == "cpu" and threads > 1 else lap.busy for lap in laps)


def each(call: Callable[[int], Any], device: str, threads: int, few: int = 1, more: int = 5) -> Step:
    """Seconds that a call with a number of steps takes beside them, and those of a step."""
    call(few)  # what is done once is done
    short, long = (quiet(partial(call, count), device, threads, 2) for count in (few, more))
    step = max(0.0, long - short) / (more - few)
    return Step(max(0.0, short - few * step), step)
