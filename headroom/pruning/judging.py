"""A ladder's steps held against a budget: what is asked of each, what is known of each, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.evaluate import NotFinite
from headroom.pruning.budgets import Budget
from headroom.pruning.measuring import Bench
from headroom.pruning.planning import Step
from headroom.pruning.trials import Sizes, Trial
from headroom.results.stats import TOLERANCE
from headroom.site.numbers import size


class Judge:
    """Asks the bench, remembers the trials, and says of each what it found."""

    def __init__(self, bench: Bench, budget: Budget, ladder: list[Step]) -> None:
        self.bench, self.budget, self.ladder = bench, budget, ladder
        self.trials: dict[int, Trial] = {}

    def trial(self, place: int) -> Trial:
        """What is known of a step so far."""
        return self.trials.setdefault(place, Trial(self.ladder[place]))

    def small(self, place: int) -> bool:
        trial = self.trial(place)
        trial.sizes = trial.sizes or self.bench.sizes(trial.step)
        return not list(oversized(self.budget, trial.step, trial.sizes))

    def fast(self, place: int) -> bool:
        trial = self.trial(place)
        if trial.timing is None:
            trial.timing = self.bench.timing(trial.step)
            self.bench.watch.tell(f"{trial.step.share:.1%} of the units gone: {sped(trial)}")
        return not slow(self.budget, trial)

    def keeps(self, place: int) -> bool:
        trial = self.trial(place)
        if trial.score is None and not trial.broken:
            try:
                trial.score = self.bench.score(trial.step, needed=True)
            except NotFinite as error:
                trial.broken = str(error)
            self.bench.watch.tell(f"{trial.step.share:.1%} of the units gone: {lost(trial)}")
        return not lossy(self.budget, trial)

    def lacks(self, trial: Trial) -> list[str]:
        """What keeps a step from the budget, of what is known of it; in words."""
        found = list(oversized(self.budget, trial.step, trial.sizes)) if trial.sizes else []
        return [*found, *filter(None, (slow(self.budget, trial), lossy(self.budget, trial)))]

    def known(self, trial: Trial) -> bool:
        """Whether all that the budget is about is known of a step."""
        budget = self.budget
        has = trial.score is not None or budget.loss is None, trial.timing is not None or budget.speed is None
        sized = all(getattr(budget, name) is None for name in ("parameters", "memory", "kv"))
        return all(has) and (trial.sizes is not None or sized)

    def best_so_far(self) -> int | None:
        """Of the steps that meet the whole budget the one that a search would rather have; None where there is none."""
        good = [place for place, one in sorted(self.trials.items()) if self.known(one) and not self.lacks(one)]
        if not good:
            return None
        return good[-1] if self.budget.limits == ["loss"] and self.budget.target is None else good[0]


def oversized(budget: Budget, step: Step, sizes: Sizes) -> Iterator[str]:
    """Each size that is above its limit."""
    if budget.target is not None and step.share < budget.target - TOLERANCE and not within_one(budget.target, step):
        yield f"{step.share:.1%} of the units go, and {budget.target:.1%} are wanted"
    if budget.parameters is not None and sizes.parameters > budget.parameters:
        yield f"{sizes.parameters:,} parameters are more than {budget.parameters:,.0f}"
    if budget.memory is not None and sizes.memory > budget.memory:
        yield f"{size(sizes.memory)} of memory are more than {size(budget.memory)}"
    if budget.kv is not None and sizes.kv is not None and sizes.kv > budget.kv:
        yield f"{size(sizes.kv)} of cache a token are more than {size(budget.kv)}"


def within_one(target: float, step: Step) -> bool:
    """A target stands for the whole units below it, as everywhere."""
    return len(step.drop) >= int(target * step.units + TOLERANCE)


def slow(budget: Budget, trial: Trial) -> str:
    """In words, where it is not certainly as fast as wanted; empty where it is, or that is not known."""
    if budget.speed is None or trial.timing is None or trial.timing.low >= budget.speed:
        return ""
    return f"{sped(trial)}, and {budget.speed:g}x is wanted"


def lossy(budget: Budget, trial: Trial) -> str:
    """In words, where it does not certainly keep within the loss; empty where it does, or that is not known."""
    if budget.loss is None or (trial.score is None and not trial.broken):
        return ""
    if trial.score is not None and trial.score.retained_low >= 1 - budget.loss - TOLERANCE:
        return ""
    return f"{lost(trial)}, and {budget.loss:.1%} may go"


def lost(trial: Trial) -> str:
    """What a step loses, in words."""
    if trial.score is None:
        return f"cannot be scored, {trial.broken}"
    most = 1 - trial.score.retained_low
    return f"loses {1 - trial.score.retained:.1%} of the quality, {most:.1%} at most"


def sped(trial: Trial) -> str:
    """How fast a step is, in words."""
    assert trial.timing is not None
    return f"{trial.timing.speedup:.2f}x as fast, {trial.timing.low:.2f}x at least"
