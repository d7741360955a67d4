"""What `headroom.prune` reports: what went, and what that costs and buys."""

from __future__ import annotations

from dataclasses import dataclass, field

from headroom.pruning.comparison import rows
from headroom.pruning.healing import Healed
from headroom.pruning.shrinking import Outcome
from headroom.pruning.trials import Sizes, Timing, Trial
from headroom.pruning.writing import differs
from headroom.results.records import TaskScore


@dataclass(frozen=True)
class Report:
    """What went, and what that costs and buys. ``print`` shows it as a table."""

    method: str
    removed: tuple[str, ...]  # units, in the numbering of the dense model, such as ``head:encoder.self.0.3``
    units: int  # of how many
    dense: Sizes
    smaller: Sizes
    task: str  # what was scored; empty: nothing
    quality: TaskScore | None  # value, difference to the dense model and share kept, each with its interval
    speed: Timing | None  # the smaller model against the dense one
    logit_difference: float | None  # the largest, of silenced units against removed ones; None without data
    seconds: float = 0.0  # that all of it took
    why: str = ""  # ``auto`` took this method
    stopped: bool = False  # by Ctrl-C: it is the best that was found until then
    healed: Healed | None = None  # how it learned again, and its quality before and after
    tried: tuple[Trial, ...] = ()  # on the way to a budget, the smallest share first
    lines: tuple[tuple[str, str, str, str], ...] = field(default=(), repr=False)

    @property
    def share(self) -> float:
        """Of the units that are gone."""
        return len(self.removed) / self.units

    def __str__(self) -> str:
        table = [("", "dense", "smaller", ""), *self.lines]
        wide = [max(len(row[place]) for row in table) for place in range(4)]
        head = f"{self.method}: {len(self.removed)} of {self.units} units removed in {self.seconds:.1f} s"
        return "\n".join([head, *("  ".join(map(str.ljust, row, wide)).rstrip() for row in table)])


def report_of(outcome: Outcome) -> Report:
    """Without the seconds. Quality is that of the model that comes back: healed, where it was."""
    assert outcome.taken is not None
    bench, step = outcome.bench, outcome.step
    task, trial, dense = bench.subject.task, outcome.after_healing(bench.whole(step)), bench.sizes(None)
    difference = differs(bench.subject, bench.smaller(step), step, task)  # of what has not learned since
    assert trial.sizes is not None
    return Report(
        method=outcome.taken.request.method,
        removed=tuple(str(unit) for unit in sorted(step.drop)),
        units=step.units,
        dense=dense,
        smaller=trial.sizes,
        task=task.name if task else "",
        quality=trial.score,
        speed=trial.timing,
        logit_difference=difference,
        why=outcome.advice.why if outcome.advice else "",
        stopped=outcome.stopped,
        healed=outcome.healed,
        tried=tuple(outcome.taken.trials),
        lines=tuple(rows(dense, trial, task, bench.work, difference)),
    )
