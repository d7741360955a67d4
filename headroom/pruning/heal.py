"""How the smaller model that was found is to learn again, from the words of options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headroom.config.model_spec import MOST_RATE, MOST_STEPS
from headroom.config.recovery import KINDS, RANK, Recover
from headroom.errors import UserError, suggest

AUTO = "auto"
SMALL = 300_000_000  # parameters of a dense model up to which all weights learn: they take 20 bytes each, adapters 8
RATES = {False: 5e-5, True: 5e-4}  # of all weights, and of adapters
BATCH = 8
WARMUP = 10  # of so many steps one


@dataclass(frozen=True)
class Heal:
    """What the options say: ``--heal``, ``--heal-kind``, ``--heal-rate`` and ``--heal-batch``."""

    steps: int
    kind: str = AUTO
    rate: float | None = None
    batch: int = BATCH

    @classmethod
    def of(cls, steps: int | None, kind: str | None, rate: float | None, batch: int | None) -> Heal | None:
        """None where nothing is to be healed. Raises ``UserError`` for what is out of range or says nothing."""
        if steps is None:
            given = {"kind": kind, "rate": rate, "batch": batch}
            if lone := next((name for name, value in given.items() if value is not None), None):
                raise UserError(f"--heal-{lone} says how to heal, and --heal, the number of steps, is missing.")
            return None
        kind = AUTO if kind is None else kind
        if not 1 <= steps <= MOST_STEPS:
            raise UserError(f"--heal is {steps}; wanted the number of update steps, 1 or more.")
        if kind not in (AUTO, *KINDS):
            raise UserError(f"--heal-kind is {kind!r}. {suggest(kind, (AUTO, *KINDS))}")
        if rate is not None and not 0 < rate <= MOST_RATE:
            raise UserError(f"--heal-rate is {rate:g}; wanted a learning rate above 0, such as {RATES[False]:g}.")
        if batch is not None and batch < 1:
            raise UserError(f"--heal-batch is {batch}; wanted the examples of a step, 1 or more.")
        return cls(steps, kind, rate, batch or BATCH)

    def recipe(self, count: int) -> Recover:
        """How a model learns that has so many parameters when dense."""
        large = count > SMALL
        kind = ("lora" if large else "full") if self.kind == AUTO else self.kind
        low = kind == "lora" or (kind == "distil" and large)
        said = {"kind": kind, "rank": RANK if low else None, "steps": self.steps, "batch": self.batch}
        rate = self.rate or RATES[low]
        return Recover.model_validate(said | {"learning_rate": rate, "warmup": self.steps // WARMUP})

    @property
    def options(self) -> Iterator[tuple[str, int | str | float]]:
        """The options that say this."""
        yield "--heal", self.steps
        if self.kind != AUTO:
            yield "--heal-kind", self.kind
        if self.rate is not None:
            yield "--heal-rate", self.rate
        if self.batch != BATCH:
            yield "--heal-batch", self.batch
