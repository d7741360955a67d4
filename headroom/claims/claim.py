"""What a claim is: a prediction of a paper, and the function that looks whether it came true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable

Test = Callable[..., Finding]  # of the evidence, and of the task where the claim is per task


@dataclass(frozen=True)
class Claim:
    """One prediction: where it was made, what it says with its threshold, and its test."""

    id: str
    source: str
    prediction: str
    test: Test
    per_task: bool

    def find(self, evidence: Evidence, task: str) -> Finding:
        """Raises ``NotTestable`` with the sentence why."""
        if not self.per_task:
            return self.test(evidence)
        if reason := evidence.no_skill(task):
            raise NotTestable(reason)
        return self.test(evidence, task)


def claim(id: str, source: str, prediction: str, per_task: bool = True) -> Callable[[Test], Claim]:
    """Make a claim of its test, which takes the evidence, and the task unless ``per_task`` is off."""
    return lambda test: Claim(id, source, " ".join(prediction.split()), test, per_task)
