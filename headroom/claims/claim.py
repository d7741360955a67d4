"""What a claim is, what it finds, and the list of them all."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headroom.claims.estimate import Estimate

if TYPE_CHECKING:
    from headroom.claims.evidence import Evidence

PAPERS = ("michel", "voita", "pillars", "layer_drop", "others")  # files of this folder, in the order of the table
UNDECIDED = "The interval holds the threshold."
_CLAIMS: list[Claim] = []


class NotTestable(Exception):
    """Why a claim cannot be tested on a model, as a sentence."""


@dataclass(frozen=True)
class Finding:
    """What a claim found on one model and task."""

    holds: bool
    figure: Estimate
    reason: str = ""


@dataclass(frozen=True)
class Claim:
    """One prediction: where it was made, what it says, and the function that looks whether it is so."""

    id: str
    source: str
    prediction: str
    test: Callable[..., Finding]
    per_task: bool

    def find(self, evidence: Evidence, task: str) -> Finding:
        """Raises ``NotTestable`` with the sentence why."""
        if not self.per_task:
            return self.test(evidence)
        if reason := evidence.no_skill(task):
            raise NotTestable(reason)
        return self.test(evidence, task)


def claim(id: str, source: str, prediction: str, per_task: bool = True) -> Callable[[Any], Any]:
    """Put a function on the list. It takes the evidence, and the task unless ``per_task`` is off."""

    def enlist(test: Callable[..., Finding]) -> Callable[..., Finding]:
        _CLAIMS.append(Claim(id, source, " ".join(prediction.split()), test, per_task))
        return test

    return enlist


def claims() -> list[Claim]:
    """Every claim, in the order of the papers."""
    for paper in PAPERS:
        importlib.import_module(f"headroom.claims.{paper}")
    return sorted(_CLAIMS, key=lambda one: PAPERS.index(one.test.__module__.rpartition(".")[2]))


def above(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure is above the threshold."""
    return Finding(figure.value > threshold, figure, said(figure, threshold, reason))


def at_least(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure reaches the threshold."""
    return Finding(figure.value >= threshold - 1e-9, figure, said(figure, threshold, reason))


def below(figure: Estimate, threshold: float, reason: str = "") -> Finding:
    """Holds where the figure is below the threshold."""
    return Finding(figure.value < threshold, figure, said(figure, threshold, reason))


def said(figure: Estimate, threshold: float, reason: str) -> str:
    """The reason, and a word of warning where other examples could have turned the verdict."""
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return reason
    return f"{reason} {UNDECIDED}".strip() if figure.low <= threshold <= figure.high else reason
