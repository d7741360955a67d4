"""One method's search for a model that meets the budget, and which of several methods' finds is taken."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headroom.errors import UserError
from headroom.pruning.budgets import Budget
from headroom.pruning.judging import Judge, oversized
from headroom.pruning.measuring import Bench
from headroom.pruning.planning import Planner, Step, method_of, parsed
from headroom.pruning.searching import Found, search
from headroom.pruning.subject import Request
from headroom.pruning.trials import Trial
from headroom.pruning.watching import stoppable

logger = logging.getLogger(__name__)
KEPT = "What was measured is kept: another budget goes on from it."


@dataclass
class Attempt:
    """What came of one method."""

    request: Request
    step: Step | None = None  # that is taken of it
    trials: list[Trial] = field(default_factory=list)  # what was tried, the smallest share first
    nothing: str = ""  # why there is no step, as a sentence
    stopped: bool = False  # by Ctrl-C

    @property
    def best(self) -> Trial | None:
        """The one of the trials that is taken."""
        return next((trial for trial in self.trials if trial.step == self.step), None)


def attempts(requests: Sequence[Request], bench: Bench, weights: Path) -> Iterator[Attempt]:
    """One for each method that can do this model, until Ctrl-C. Raises ``UserError`` where none can."""
    refused: list[UserError] = []
    for request in requests:
        try:
            made = attempted(request, bench, weights)
        except UserError as error:
            if len(requests) == 1:
                raise
            refused.append(error)
            logger.warning("%s", error)
            continue
        yield made
        if made.stopped:
            return
    if refused and len(refused) == len(requests):
        raise refused[-1]


def attempted(request: Request, bench: Bench, weights: Path) -> Attempt:
    """The plan for one share, or the search; after Ctrl-C the best so far."""
    budget, attempt = request.wanted, Attempt(request)
    judge, found = Judge(bench, budget, []), Found()
    try:
        with stoppable():
            method = method_of(request.method, parsed(request.parameters), request.examples)
            planner = Planner(request, method, bench.subject, weights, bench.watch)
            if budget.exact:
                assert budget.target is not None
                attempt.step = planner.one(budget.target)
                return attempt
            judge.ladder = bench.ladder(planner)
            del planner  # it holds a copy of the model
            found = search(len(judge.ladder), judge, *questions(judge))
    except KeyboardInterrupt:
        attempt.stopped = True
        found = Found(judge.best_so_far())
    if found.best is not None:
        attempt.step = judge.ladder[found.best]
    elif attempt.stopped:
        attempt.nothing = f"Stopped before anything was found that meets the budget: nothing is written. {KEPT}"
    else:
        said = nearest(judge, found)
        attempt.nothing = f"Nothing that {request.method} gives meets the budget: {said} {KEPT}"
    attempt.trials = [trial for _, trial in sorted(judge.trials.items())]
    return attempt


def questions(judge: Judge) -> tuple[bool, bool, bool]:
    """Whether sizes, speed and loss are asked about; what the dense model has already is not.

    Raises ``UserError`` where it has all.
    """
    budget = judge.budget
    sizes = (budget.parameters, budget.memory, budget.kv, budget.target)
    small = any(limit is not None for limit in sizes)
    whole = Step(frozenset(), judge.ladder[0].units)
    small = small and bool(list(oversized(budget, whole, judge.bench.sizes(None))))
    asked = small, budget.speed is not None, budget.loss is not None
    if not any(asked):
        raise UserError("the dense model is within this budget already, so there is nothing to remove. Ask for less.")
    return asked


def nearest(judge: Judge, found: Found) -> str:
    """What comes nearest to the budget on either side, as the end of a sentence."""
    said = []
    if found.beyond is not None:
        trial = judge.trials[found.beyond]
        said.append(f"with {trial.step.share:.1%} of the units gone, {' and '.join(judge.lacks(trial))}")
    if found.within is not None and found.within != found.beyond:
        trial = judge.trials[found.within]
        judge.small(found.within)
        if judge.budget.speed is not None:
            judge.fast(found.within)
        lacks = " and ".join(judge.lacks(trial)) or "nothing is lacking"
        said.append(f"with {trial.step.share:.1%} gone, the most that keeps within the loss, {lacks}")
    if not said:
        trial = min(judge.trials.values(), key=lambda one: (len(judge.lacks(one)), most_lost(one)))
        said.append(f"with {trial.step.share:.1%} of the units gone, {' and '.join(judge.lacks(trial))}")
    return "; ".join(said) + "."


def most_lost(trial: Trial) -> float:
    """The share of quality that a step loses at the most; of one that was not scored everything."""
    return 1 - trial.score.retained_low if trial.score else math.inf


def preferred(made: Sequence[Attempt], bench: Bench, budget: Budget) -> Attempt | None:
    """The attempt that is taken: where a loss alone is named the smallest model, else the one that keeps most.

    None where no method found anything.
    """
    found = [attempt for attempt in made if attempt.step is not None]
    if len(found) < 2:
        return next(iter(found), None)
    if made[-1].stopped:
        return found[0]  # what the leaderboard put first, without another minute of measuring
    wholes = [(bench.whole(attempt.step), attempt) for attempt in found if attempt.step]
    if budget.limits == ["loss"]:
        return min(wholes, key=lambda pair: pair[0].sizes.parameters if pair[0].sizes else 0)[1]
    if all(whole.score for whole, _ in wholes):
        return max(wholes, key=lambda pair: pair[0].score.retained if pair[0].score else 0.0)[1]
    return found[0]
