"""Checks on planted models: what is dead goes before what is vital, and one of two equals before a vital one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from headroom.api import Grain, Method, Track, Unit
from headroom.attention import toy, toy_batch
from headroom.checks.subject import NotApplicable, Subject
from headroom.checks.toy_bench import EXAMPLES, ToyBench
from headroom.planted import Planted, Way, planted, twins_before_vital, vital_before_dead

STEPS = 60  # of update for methods that train: enough to tell nothing from much
FEW = (0.25, 0.5, 0.75)  # targets of methods that train for each of them


class PlantedSubject(Subject):
    """A method on a toy of which the truth is known."""

    def __init__(self, method: Method, file: Path, family: str, seed: int = 0, way: Way = "all") -> None:
        self.seed = seed
        self.truth, bench = planted_bench(family, method.removes(), seed, way)
        super().__init__(method, file, family, bench)

    @property
    def targets(self) -> tuple[float, ...]:
        """One target for every number of units; methods that train get few."""
        if self.method.track is Track.TRAINED:
            return FEW
        units = len(self.units)
        return tuple((count + 0.5) / units if count < units else 1.0 for count in range(1, units + 1))

    @property
    def drops(self) -> list[frozenset[Unit]]:
        """What the plans of the series remove. Raises ``NotApplicable`` when each removes nothing or everything."""
        units = len(self.units)
        drops = [plan.drop for plan in self.plans if not plan.label]
        if not any(0 < len(drop) < units for drop in drops):
            raise NotApplicable("No plan removes some units and keeps others.")
        return drops


@lru_cache(maxsize=64)
def planted_bench(family: str, grains: tuple[Grain, ...], seed: int, way: Way) -> tuple[Planted, ToyBench]:
    """A planting and the bench that asks methods about it."""
    truth = planted(family, grains, seed, way)
    return truth, ToyBench(truth.model, toy_batch(family, EXAMPLES), lambda: toy(family, seed=1), steps=STEPS)


def check_the_dead_go_before_the_vital(subject: PlantedSubject) -> None:
    """No plan removes a vital unit while a dead one stays."""
    wrong = vital_before_dead(subject.drops, subject.truth)
    assert not wrong, (
        f"of {len(subject.drops)} plans {len(wrong)} remove a vital unit of the planted {subject.family} and keep a "
        f"dead one, the smallest with {min(map(len, wrong))} units gone. A method that goes by position or chance "
        "says so with scores = False."
    )


def check_one_of_two_equals_goes_before_the_vital(subject: PlantedSubject) -> None:
    """No plan removes a vital head beside two equal ones and keeps both of these."""
    if subject.truth.twins is None:
        raise NotApplicable("It removes no heads, and only heads of one site can be equal.")
    wrong = twins_before_vital(subject.drops, subject.truth)
    assert not wrong, f"{len(wrong)} plans remove a vital head of the planted {subject.family} and keep two equal ones."
