"""The only clock of the package. Nothing else imports ``time``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Lap:
    """One call, in seconds."""

    busy: float  # process time on the CPU, time between events on an accelerator: what a verdict rests on
    wall: float


def now() -> float:
    """Seconds on a clock that never goes back, to tell how long something has been silent."""
    return time.monotonic()


class Clock(Protocol):
    """What the protocol of ``paired`` needs; tests give their own."""

    def time(self, call: Callable[[], Any]) -> Lap:
        """Run a call and say how long it took."""


class ProcessClock:
    """CPU: process time counts all threads of this process and no time in which another process held the core."""

    def time(self, call: Callable[[], Any]) -> Lap:
        wall, busy = time.perf_counter(), time.process_time()
        call()
        return Lap(time.process_time() - busy, time.perf_counter() - wall)


class CudaClock:
    """NVIDIA GPU: the device is idle before a call and waited for after it."""

    def time(self, call: Callable[[], Any]) -> Lap:
        import torch

        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        wall = time.perf_counter()
        start.record()
        call()
        stop.record()
        torch.cuda.synchronize()
        return Lap(start.elapsed_time(stop) / 1000, time.perf_counter() - wall)


class AppleClock:
    """Apple's GPU, which has no events to ask: the wall clock between two moments at which it was idle."""

    def time(self, call: Callable[[], Any]) -> Lap:
        import torch

        torch.mps.synchronize()
        wall = time.perf_counter()
        call()
        torch.mps.synchronize()
        taken = time.perf_counter() - wall
        return Lap(taken, taken)


CLOCKS: dict[str, type[Clock]] = {"cpu": ProcessClock, "cuda": CudaClock, "mps": AppleClock}


def clock_for(device: Any) -> Clock:
    """The clock of the device a model is on."""
    return CLOCKS[getattr(device, "type", str(device))]()


class Stopwatch:
    """Wall-clock seconds of a ``with`` block, for costs rather than comparisons; read ``seconds`` afterwards."""

    seconds: float = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._start
