"""What planted truth and the oracle say of a method, in figures: one row a model, over several draws of the planting.

A figure is the mean over the draws; ``low`` and ``high`` are the smallest and the largest. Distances are of the units
that a plan names, in the dense weights: what a method also does to the weights is not part of its choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from headroom.api import Grain, Method, Track
from headroom.checks.listing import FAMILIES, truth_checks_of
from headroom.checks.of_truth import PlantedSubject, planted_bench
from headroom.checks.subject import NotApplicable
from headroom.checks.words import DISTANCE, FIRST, FIRST_VITAL, Result, at
from headroom.planted import dead_among_first, first_vital
from headroom.planted.oracle import Oracle, losses, oracle

DRAWS, DRAWS_TRAINED = 5, 2
SHARES = (0.25, 0.5, 0.75)

Figures = dict[str, float | None]


def figures_of(method: Method, file: Path, name: str = "", families: Sequence[str] = FAMILIES) -> Iterator[Result]:
    """The figures of a method on the planted models of each family within its reach."""
    draws = DRAWS_TRAINED if method.track is Track.TRAINED else DRAWS
    for family in families:
        subjects = [PlantedSubject(method, file, family, seed) for seed in range(draws)]
        if not subjects[0].out_of_reach:
            found = [distances(subject) | truths(subject) for subject in subjects]
            yield from summed_up(name or method.name, family, found)


def truths(subject: PlantedSubject) -> Figures:
    """What the plans say of dead and vital units; nothing for methods that go by position or chance."""
    method = subject.method
    if not list(truth_checks_of(method)):
        return {}
    found: Figures = dict.fromkeys((*FIRST.values(), FIRST_VITAL))
    with suppress(NotApplicable):
        found[FIRST["all"]] = dead_among_first(subject.drops, subject.truth)
        found[FIRST_VITAL] = first_vital(subject.drops, subject.truth, len(subject.units))
    if method.track is not Track.TRAINED and subject.truth.twins:  # only heads can be dead in part
        for way in ("out", "value"):
            other = PlantedSubject(method, subject.file, subject.family, subject.seed, way)
            with suppress(NotApplicable):
                found[FIRST[way]] = dead_among_first(other.drops, other.truth)
    return found


def distances(subject: PlantedSubject) -> Figures:
    """How far the plans are from the best choice: all that keep something, and those at three shares."""
    found: Figures = dict.fromkeys((DISTANCE, *map(at, SHARES)))
    with suppress(NotApplicable):
        by_size = {len(drop): drop for drop in subject.drops if 0 < len(drop) < len(subject.units)}
        best = best_of(subject.family, subject.method.removes(), subject.seed)
        if best.floor <= best.dense:
            return found  # a draw that needs none of these units has no scale
        lost = losses(subject.truth.model, subject.units, subject.bench.batch, list(by_size.values()))
        away = {size: best.distance(size, loss) for size, loss in zip(by_size, lost, strict=True)}
        found[DISTANCE] = fmean(away.values())
        found |= {at(share): away.get(int(share * len(subject.units))) for share in SHARES}
    return found


def summed_up(name: str, family: str, draws: list[Figures]) -> Iterator[Result]:
    """One row for every figure that was asked for. A figure is no verdict: a row that has one passes."""
    for figure in draws[0]:
        values = [value for draw in draws if (value := draw[figure]) is not None]
        if values:
            yield Result(name, family, figure, "passes", "", fmean(values), min(values), max(values))
        else:
            yield Result(name, family, figure, "not applicable", "Its plans say nothing about it.")


@lru_cache(maxsize=256)
def best_of(family: str, grains: tuple[Grain, ...], seed: int) -> Oracle:
    """The oracle of a planting, searched once for all methods."""
    truth, bench = planted_bench(family, grains, seed, "all")
    return oracle(truth.model, bench.units(grains), bench.batch)
