"""Prune the least confident heads early in training, and train again without them (Behnke and Heafield, 2020).

    confidence = mean over query tokens of the maximum attention weight     (Voita et al., 2019)

The lottery ticket hypothesis for heads: train for a while, remove the heads of least confidence, rewind all weights to
their beginning, and again, ``rounds`` times, each with the same number of heads; what is left, the ticket, is trained
from that beginning. The heads of all layers stand in one list. The end of the sentence is no target of attention where
the keys are input words.

``early`` is the share of all update steps that a round trains for, and the ticket gets what the rounds leave, so that
search and ticket together cost what every other method spends. (The paper's search comes on top.) Where a round ends
too early, heads that learn late, as those of cross-attention do, are taken for unsure ones and go.

Each target is a search of its own; ``shares`` names a few shares of the heads instead, which are the method's own
points then. What the abstract does not say and was chosen here: that a round takes as many heads as another, that it is
trained by the whole schedule of learning rates, made shorter, and that the weights go back to the very first and not to
an early checkpoint.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from headroom.api import Context, Grain, Method, Plan, Track, Unit, confidence


class ConfidenceLottery(Method):
    name = "confidence-lottery"
    title = "Confidence lottery"
    paper = "doi:10.18653/v1/2020.emnlp-main.211"
    track = Track.TRAINED
    from_scratch = True

    @dataclass(frozen=True)
    class Params:
        rounds: int = 2
        early: float = 0.2  # of the update steps, each round; at 0.1 a toy translator's cross-attention knew nothing
        shares: tuple[float, ...] = ()  # of the heads that go; all targets unless named
        examples: int = 256
        batch_size: int = 32

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.natural = bool(self.params.shares)

    def removes(self) -> tuple[Grain, ...]:
        return (Grain.HEAD,)

    def expected_failures(self) -> dict[str, str]:
        why = "It begins before the model was trained, so what the planted model has learned it never sees."
        return {"check_the_dead_go_before_the_vital": why}

    def plans(self, ctx: Context, targets: Sequence[float]) -> Iterator[Plan]:
        for target in self.params.shares or targets:
            yield self.ticket(ctx, target)
        if self.natural:
            yield Plan(1.0, frozenset(ctx.units), natural="floor")

    def ticket(self, ctx: Context, target: float) -> Plan:
        """Search for the heads that go at this target, and train the others from the beginning."""
        gone, searched = frozenset[Unit](), min(self.params.rounds, ctx.units.count(target))
        with ExitStack() as trainings:  # each one begins anew inside the one before, so their steps add up
            for done in range(1, searched + 1):
                trainings.enter_context(ctx.trained(self.objective(ctx), self.params.early, from_scratch=True))
                gone |= self.least_confident(ctx, gone, ctx.units.count(target * done / searched))
                trainings.enter_context(ctx.silenced(gone))
            rest = 1 - self.params.early * searched
            weights = trainings.enter_context(ctx.trained(self.objective(ctx), rest, from_scratch=True))
            name = f"{target:.0%} of heads" if self.natural else ""
            return Plan(len(gone) / len(ctx.units) if self.natural else target, gone, weights, natural=name)

    def objective(self, ctx: Context) -> Any:
        return lambda batch: ctx.loss(batch) / len(batch["labels"])

    def least_confident(self, ctx: Context, gone: frozenset[Unit], count: int) -> frozenset[Unit]:
        """The heads to remove so that ``count`` have gone in all."""
        score = confidence(ctx, self.params.examples, self.params.batch_size)
        left = [unit for unit in ctx.units.order(score) if unit not in gone]
        return frozenset(left[: count - len(gone)])
