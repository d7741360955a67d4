"""What a smaller model may lose and has to buy, from the words of options; a wrong unit is answered with the right."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headroom.errors import UserError
from headroom.terminal.wishing import NUMBER, ratio_of, share_of

SURE = 0.95  # of an interval, where nobody asks for another
LEAST, MOST = 0.5, 0.999  # of a thousand resamples the tails have to hold one
THOUSANDS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
BYTES = {"": 1.0, **{f"{unit}B": THOUSANDS[unit] for unit in "KMGT"}, "B": 1.0}
BYTES |= {f"{unit}IB": 1024.0**power for power, unit in enumerate("KMGT", 1)}
AMOUNT = re.compile(rf"{NUMBER}\s*([a-z]*)", re.IGNORECASE)
LIMITS = "--max-loss 1%, --min-speed 1.2, --max-parameters 100M, --max-memory 2GB, --max-kv 8KB/token or --target 0.5"


@dataclass(frozen=True)
class Budget:
    """Limits that hold together; None: no limit. What is removed is the least that buys all, or the most that loses so.

    ``loss``: the largest share of the quality above chance that may go, held against the end of the interval at
    ``confidence``. ``speed``: times the dense model's, held against the lower end. ``target``: the share of units to
    remove; at least that, where there are other limits.
    """

    loss: float | None = None
    speed: float | None = None
    parameters: float | None = None
    memory: float | None = None  # bytes
    kv: float | None = None  # bytes a token
    target: float | None = None
    confidence: float = SURE

    @property
    def exact(self) -> bool:
        """Whether one share is asked for, and nothing has to be searched."""
        return self.target is not None and not self.limits

    @property
    def limits(self) -> list[str]:
        """The names of all limits but the target."""
        names = ("loss", "speed", "parameters", "memory", "kv")
        return [name for name in names if getattr(self, name) is not None]


def budget_of(
    loss: str | None = None,
    speed: str | None = None,
    parameters: str | None = None,
    memory: str | None = None,
    kv: str | None = None,
    target: float | None = None,
    confidence: str = "95%",
) -> Budget:
    """The budget that the options say. Raises ``UserError`` for a wrong unit or range, and where there is no limit."""
    if target is not None and not 0 < target < 1:
        raise UserError(f"--target is {target:g}; a target is the share of units to remove, above 0 and below 1.")
    sure = share_of(confidence, "--confidence", "how sure an interval is")
    if not LEAST <= sure <= MOST:
        raise UserError(f"--confidence is {confidence!r}; wanted {LEAST:.0%} to {MOST:.1%}.")
    budget = Budget(
        loss=None if loss is None else share_of(loss, "--max-loss", "the quality that may be lost", least=0.0),
        speed=None if speed is None else ratio_of(speed, "--min-speed"),
        parameters=None if parameters is None else _amount(parameters, "--max-parameters", THOUSANDS, "100M or 1.5B"),
        memory=None if memory is None else _amount(memory, "--max-memory", BYTES, "2GB or 500MB"),
        kv=None if kv is None else _amount(kv.removesuffix("/token"), "--max-kv", BYTES, "8KB/token"),
        target=target,
        confidence=sure,
    )
    if target is None and not budget.limits:
        raise UserError(f"how small the model has to be is not said. Give one or more of {LIMITS}.")
    return budget


def _amount(text: str, option: str, units: dict[str, float], such: str) -> float:
    """A number with its unit. Raises ``UserError`` for another unit, and for nothing at all."""
    found = AMOUNT.fullmatch(text.strip())
    size = units.get(found[2].upper()) if found else None
    if found is None or size is None or float(found[1]) == 0:
        raise UserError(f"{option} is {text!r}; wanted an amount above 0 such as {such}.")
    return float(found[1]) * size
