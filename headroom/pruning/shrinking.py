"""The core behind both doors, the command and `headroom.prune`: a subject and what is wanted in, what was found out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from headroom.errors import UserError
from headroom.models.packages import cache_folder
from headroom.pipeline.journal import Journal
from headroom.pruning.advising import AUTO, Advice, advised
from headroom.pruning.attempts import Attempt, attempts, preferred
from headroom.pruning.budgets import Budget
from headroom.pruning.healing import Healed, Healer
from headroom.pruning.measuring import Bench
from headroom.pruning.planning import Step, method_of, parsed
from headroom.pruning.subject import Request, Subject
from headroom.pruning.trials import CACHED, Sizes, Trial
from headroom.pruning.watching import Watch
from headroom.shipping import Shipped


@dataclass
class Outcome:
    """What was tried, and which of it is taken."""

    bench: Bench
    request: Request  # as it was asked
    tries: list[Attempt] = field(default_factory=list)
    taken: Attempt | None = None  # the smaller model's; None: there is none
    advice: Advice | None = None  # of ``auto``
    healed: Healed | None = None  # what came of `--heal`

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.tries[-1].stopped or bool(self.healed and self.healed.stopped)

    @property
    def nothing(self) -> str:
        """Why there is no smaller model; empty where there is one."""
        return "" if self.taken else "\n".join(attempt.nothing for attempt in self.tries)

    @property
    def step(self) -> Step:
        """What goes. Only where something is taken."""
        assert self.taken is not None and self.taken.step is not None
        return self.taken.step

    @property
    def learned(self) -> Healed | None:
        """The healing that the smaller model has behind it; None where it is as it was found."""
        return self.healed if self.healed and self.healed.model is not None else None

    @property
    def model(self) -> Any:
        """The smaller model, healed where it was; what it has in common with the dense one are the same tensors."""
        return self.learned.model if self.learned else self.bench.smaller(self.step)

    def after_healing(self, found: Trial) -> Trial:
        """What was measured of the step that is taken, with the quality of the model that it gives in the end."""
        return replace(found, score=self.learned.after) if self.learned else found


@dataclass(frozen=True)
class Written:
    """What lies in the folder, measured."""

    shipped: Shipped
    dense: Sizes
    found: Trial
    difference: float | None  # the largest of logits, masked against what was read back


def check(request: Request, name_some: str) -> None:
    """What can be said before a model is loaded; ``name_some`` says how examples are named.

    Raises ``UserError`` for an unknown method or a wrong parameter, for one that needs examples where none are named,
    and for a loss of nothing.
    """
    asks = request.task or request.own
    if request.method != AUTO:
        method = method_of(request.method, parsed(request.parameters), request.examples)
        if method.calibrated and not method.stochastic and not asks:
            raise UserError(f"--method {request.method}: needs calibration examples. {name_some}")
    if request.wanted.loss is not None and not asks:
        raise UserError(f"--max-loss: the loss is of a task's quality. {name_some}")


def shrunk(subject: Subject, request: Request, watch: Watch) -> Outcome:
    """Search the smaller model that meets the budget. What is measured on the way is kept in Headroom's cache.

    Raises ``UserError`` for a method that cannot do this model, and for a limit on what the model has not.
    """
    budget = request.wanted
    check_budget(budget, subject)
    healer = Healer.of(request, subject)
    work = cache_folder() / "prune"
    weights = work / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    bench = Bench(subject, Journal(work / "journal"), budget.confidence, request.threads, watch)
    outcome = Outcome(bench, request)
    requests: tuple[Request, ...] = (request,)
    if request.method == AUTO:
        outcome.advice = advised(request, subject.purpose)
        watch.tell(outcome.advice.why)
        requests = outcome.advice.requests
    outcome.tries = list(attempts(requests, bench, weights))
    outcome.taken = preferred(outcome.tries, bench, budget)
    if healer and outcome.taken and not outcome.stopped:
        outcome.healed = healer.heal(bench, outcome.step)
    return outcome


def check_budget(budget: Budget, subject: Subject) -> None:
    """Raises ``UserError`` for a limit on what a model has not."""
    if budget.kv is not None and subject.purpose not in CACHED:
        raise UserError(f"--max-kv: a model for {subject.purpose} keeps no cache. Leave the option out.")
