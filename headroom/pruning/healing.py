"""`--heal`: the smaller model that was found learns again, and what that was worth is measured beside what it took."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from headroom.config.recovery import Recover
from headroom.errors import UserError
from headroom.evaluate import NotFinite
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import forget_peak, highest_mb
from headroom.pruning.budgets import Budget
from headroom.pruning.examples import examples_to_learn
from headroom.pruning.judging import lossy
from headroom.pruning.measuring import Bench, parameters
from headroom.pruning.planning import Step
from headroom.pruning.subject import Request, Subject
from headroom.pruning.trials import Trial
from headroom.pruning.watching import asked_to_stop
from headroom.results.records import TaskScore
from headroom.training.adapters import linear_maps
from headroom.training.fit import TrainingError
from headroom.training.lessons import Lessons
from headroom.training.recovery import recovered

AS_BEFORE = "The model is as it was before."


@dataclass(frozen=True)
class Healed:
    """What came of it. ``model`` None: the model stays as it was before, for the reason in ``why``."""

    recipe: Recover
    split: str  # that it learned on, and how many examples that has
    examples: int
    model: Any = None
    steps: int = 0  # that were done
    losses: tuple[float, float] | None = None  # of the first and last stretch of steps
    seconds: float = 0.0
    memory: float | None = None  # bytes, of the process at the most
    before: TaskScore | None = None
    after: TaskScore | None = None
    why: str = ""

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it early."""
        return self.steps < self.recipe.steps

    def as_json(self) -> dict[str, Any]:
        """All of it for machines."""
        return {
            "recipe": self.recipe.model_dump(exclude={"targets"}) | {"rank": self.recipe.adapters},
            "learned_on": {"split": self.split, "examples": self.examples},
            "steps": self.steps,
            "loss": self.losses and {"first": self.losses[0], "last": self.losses[1]},
            "seconds": self.seconds,
            "peak_memory": self.memory,
            "before": self.before and self.before.model_dump(),
            "after": self.after and self.after.model_dump(),
            "kept": self.model is not None,
            "why_not": self.why,
        }


@dataclass
class Healer:
    """Ready to heal whatever is found; made before the search, so that what cannot be done is said then."""

    lessons: Lessons
    recipe: Recover
    split: str
    budget: Budget
    seed: int

    @classmethod
    def of(cls, request: Request, subject: Subject) -> Healer | None:
        """None where nothing is to be healed.

        Raises ``UserError`` where there are no examples to learn from, and where adapters cannot be had.
        """
        if request.heal is None:
            return None
        if subject.task is None or subject.collator is None:
            raise UserError("--heal: a model learns from examples. Name a task with --task, or your own with --data.")
        recipe = request.heal.recipe(parameters(subject.model))
        recipe.check(f"--heal-kind {request.heal.kind}")
        if recipe.adapters:
            linear_maps(subject.model)
        split, examples = examples_to_learn(request, subject)
        lessons = Lessons(examples, subject.collator, recipe, None, None)
        return cls(lessons, recipe, split, request.wanted, request.seed)

    def heal(self, bench: Bench, step: Step) -> Healed:
        """What was found, healed. The first Ctrl-C ends it after a step, the second leaves the model as it was.

        Raises ``UserError`` for a loss that is no number.
        """
        dense, watch, done = bench.subject.model, bench.watch, 0
        so_far = Healed(self.recipe, self.split, len(self.lessons.examples), before=bench.whole(step).score)

        def told(number: int, loss: float) -> None:
            nonlocal done
            done = number
            watch.step()

        begin_peak(dense)
        what = f"healing ({self.recipe.kind}) on {so_far.examples} examples of the split {self.split}"
        try:
            with watch.doing(what, self.recipe.steps), asked_to_stop() as stop, Stopwatch() as clock:
                model, curve = recovered(
                    bench.smaller(step), dense, self.lessons, self.recipe.steps, self.seed, on_step=told, stop=stop
                )
        except KeyboardInterrupt:
            return replace(so_far, why=f"Healing was broken off. {AS_BEFORE}")
        except TrainingError as error:
            raise UserError(f"--heal-rate {self.recipe.learning_rate:g}: {error}.") from None
        losses = curve[0]["loss"], curve[-1]["loss"]
        done_so = replace(so_far, steps=done, losses=losses, seconds=clock.seconds, memory=peak(dense))
        return self.judged(bench, step, model, done_so)

    def judged(self, bench: Bench, step: Step, model: Any, healed: Healed) -> Healed:
        """With its quality, and with the model unless that gives no numbers or does not keep within the loss."""
        try:
            after = bench.beside_dense(bench.scored(model, "healed"))
        except NotFinite as error:
            return replace(healed, why=f"The healed model cannot be scored, {error}. {AS_BEFORE}")
        if broken := lossy(self.budget, Trial(step, score=after)):
            return replace(healed, after=after, why=f"The healed model {broken}. {AS_BEFORE}")
        return replace(healed, after=after, model=model)


def begin_peak(model: Any) -> None:
    """What was needed before is forgotten, where the system can do that."""
    with suppress(OSError):
        forget_peak(model.device.type == "cuda")


def peak(model: Any) -> float | None:
    """Bytes that the process needed at the most since, on a GPU those of the GPU; None where nobody knows."""
    found = highest_mb(model.device.type == "cuda")
    return None if found is None else found * 2**20
