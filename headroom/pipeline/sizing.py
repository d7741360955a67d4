"""How many tokens go through a model at once: as many as the memory of its device holds, found once by trying."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headroom.measure.devices import kind
from headroom.measure.machine import machine
from headroom.pipeline.asking import Pool, one
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.questions import TRIES, AboutModel

SIZES = tuple(2**power for power in range(16, 9, -1))  # tokens; a device is no faster with more than the first


@dataclass(frozen=True)
class SizeQuestion(AboutModel):
    """With how many tokens at once, padding included, can the dense model be scored?"""

    tries = TRIES

    def answer(self) -> int:
        bench = self.run.bench
        fitting = (tokens for tokens in SIZES if bench.holds(tokens))
        # half of what just fits: a plan whose heads are of unlike sizes needs more than the dense model, in places
        return next(fitting, 2 * SIZES[-1]) // 2

    @property
    def path(self) -> Path:
        """Where the journal keeps the answer. It is a fact of one card, not of a kind."""
        card = machine(self.run.params.run.threads, self.run.device).fingerprint
        return self.run.journal.path("sizes", self.run.base | {"card": card})


def sized(run: ModelRun, pool: Pool) -> int | None:
    """The size to measure a model with; None where its entry states one, and on the CPU, which gains nothing by more.

    It is tried once and kept, so that every point of every run is scored in the same batches.
    """
    stated = run.spec.evaluate
    if stated.batch or stated.tokens or kind(run.device) == "cpu":
        return None
    question = SizeQuestion(run)
    known = run.journal.read(question.path)
    if known is None:
        known = {"tokens": one(pool, question)}
        run.journal.write(question.path, known)
    return known["tokens"]
