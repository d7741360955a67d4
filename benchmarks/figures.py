"""A named figure, how it is compared with an earlier one, and the kernel that machines are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from headroom.measure.clock import ProcessClock
from headroom.measure.paired import threads

Unit = Literal["ratio", "ms", "s", "1/s"]

TURNS = 7
CALIBRATION = "calibration_ms"


@dataclass(frozen=True)
class Figure:
    """One line of ``latest.json``."""

    name: str
    value: float
    unit: Unit
    better: Literal["higher", "lower"]
    aim: float | None = None  # what is asked of it, where something is

    def meets(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.better == "higher" else self.value <= self.aim


def change(figure: Figure, before: float, calibration: float, calibration_before: float) -> float:
    """How much better a figure has become as a factor; times and rates in units of the calibration kernel."""
    scale = {"ratio": 1.0, "1/s": calibration / calibration_before}.get(figure.unit, calibration_before / calibration)
    ratio = figure.value * scale / before
    return ratio if figure.better == "higher" else 1 / ratio


def milliseconds(call: Callable[[], Any], turns: int = TURNS) -> float:
    """Process time of the middle one of some turns, after one to warm up, on one thread."""
    with threads(1):
        call()
        return 1000 * median(ProcessClock().time(call).busy for _ in range(turns))


def calibration() -> Figure:
    """A matrix product and a pass of plain Python: what everything here is made of, on this machine at this moment."""
    import torch

    left = torch.randn(768, 768)
    return Figure(CALIBRATION, milliseconds(lambda: (left @ left, sum(range(100_000))), 15), "ms", "lower")
