"""Ni, Mao et al. (2023, Pillars of Strength): what grouping heads does, and what of it matters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headroom.claims.claim import claim
from headroom.claims.estimate import Estimate, highest
from headroom.claims.evidence import Evidence, good
from headroom.claims.finding import Finding, NotTestable, above, at_least
from headroom.claims.michel import POINT
from headroom.results.records import CellRecord, Point
from headroom.results.stats import over_seeds

PAPER = "arXiv:2305.14380"
SEEDS = 3
WHOLE = {"vote": "group", "scale": "paper", "modules": "paper"}


@claim(
    "G1",
    PAPER,
    """The group constraint alone, with nothing removed, improves the model (trained from scratch, three seeds or more).
    Figure: retained quality minus that of the dense model after as many steps, in points, above 0.""",
)
def constraint_alone_helps(evidence: Evidence, task: str) -> Finding:
    record = enough_seeds(constrained(evidence, "scratch"))
    whole = [groups(point) for point in good(record, "recovered") if groups(point) and not point.units_removed]
    if not whole:
        raise NotTestable(f"{record.method} has no point with as many groups as heads.")
    return above((at_groups(record, task, whole[0]) - Estimate(1.0)) * (1 / POINT), 0)


def at_groups(record: CellRecord, task: str, count: int) -> Estimate:
    """Retained quality with so many groups; it may be a point that removes nothing, which curves leave out."""
    scores = [point.tasks[task] for point in good(record, "recovered") if groups(point) == count]
    ends = [[getattr(score, name) for score in scores] for name in ("retained", "retained_low", "retained_high")]
    return Estimate(*over_seeds(*ends))


def constrained(evidence: Evidence, *trainings: str) -> CellRecord:
    """Voting-to-Stay in full, in the first of these trainings that the profile has."""
    found = [cell for training in trainings for cell in evidence.every("voting_to_stay", training=training, **WHOLE)]
    found = [cell for cell in found if cell.parameters.get("alpha") or cell.parameters.get("beta")]
    return found[0] if found else evidence.record("voting_to_stay", training=trainings[0], **WHOLE)


def enough_seeds(record: CellRecord) -> CellRecord:
    """Raises ``NotTestable`` for fewer than three seeds: trainings differ more than these claims are wide."""
    if len(record.costs) < SEEDS:
        raise NotTestable(f"{record.method} has {len(record.costs)} of the {SEEDS} seeds that a training needs.")
    return record


@claim(
    "G2",
    PAPER,
    """Voting-to-Stay in full beats each ablation in the profile (no constraint, no training before the vote, votes
    counted over all groups) by 1 point or more, at the group count that removes nearest to three quarters of the heads,
    fine-tuned alike, three seeds or more. Figure: full minus the best ablation, points of retained quality.""",
)
def whole_method_beats_its_parts(evidence: Evidence, task: str) -> Finding:
    full = enough_seeds(constrained(evidence, "scratch", "finetune"))
    others = [cell for cell in evidence.every("voting_to_stay") if ablates(cell, full)]
    if not others:
        raise NotTestable("The profile has no ablation of Voting-to-Stay.")
    place = three_quarters(good(full, "recovered"))
    kept = {cell.method: evidence.kept(cell, task, [place], "recovered") for cell in others}
    best = max(kept, key=lambda method: kept[method].value)
    figure = evidence.kept(full, task, [place], "recovered") - highest(list(kept.values()))
    return at_least(figure * (1 / POINT), 1, f"Best ablation: {best}, {place}.")


def ablates(cell: CellRecord, full: CellRecord) -> bool:
    """Whether a cell leaves out the constraint, the training before the vote, or the vote by groups."""
    own = cell.parameters
    free = own.get("training") == full.parameters["training"] and not own.get("alpha") and not own.get("beta")
    return free or own.get("training") == "posthoc" or own.get("vote") == "global"


def three_quarters(points: Sequence[Point]) -> str:
    """The natural point that removes nearest to three quarters of the heads."""
    natural = [point for point in points if groups(point)]
    if not natural:
        raise NotTestable("There is no point with a number of groups.")
    return min(natural, key=lambda point: abs(point.units_removed / point.units - 0.75)).natural


def groups(point: Point) -> int:
    """The number of groups that a point is named after; 0 for another point."""
    told = re.match(r"(\d+) groups?$", point.natural)
    return int(told[1]) if told else 0


@claim(
    "G3",
    PAPER,
    """Quality over the strength of the constraint is an inverted U: the best of three values of alpha or more is
    neither the smallest nor the largest. Figure: the best minus the better of the two ends, points of retained
    quality.""",
)
def constraint_has_an_optimum(evidence: Evidence, task: str) -> Finding:
    cells = {float(str(cell.parameters["alpha"])): cell for cell in evidence.every("voting_to_stay", **WHOLE, beta=0.5)}
    if len(cells) < 3:
        raise NotTestable("The profile has fewer than three values of alpha beside beta=0.5.")
    place = three_quarters(good(next(iter(cells.values())), "recovered"))
    return interior([evidence.kept(cells[alpha], task, [place], "recovered") for alpha in sorted(cells)], place)


def interior(kept: Sequence[Estimate], said: str) -> Finding:
    """Whether the best of a series lies between its ends."""
    return above((highest(kept[1:-1]) - highest([kept[0], kept[-1]])) * (1 / POINT), 0, said)


@claim(
    "G4",
    PAPER,
    """The best number of groups is neither one nor as many as there are heads. As a head stays for every group, more
    groups also keep more heads here. Figure: the best between the ends minus the better end, points of retained
    quality.""",
)
def groups_have_an_optimum(evidence: Evidence, task: str) -> Finding:
    record = constrained(evidence, "scratch", "finetune")
    found = sorted({groups(point) for point in good(record, "recovered")} - {0})
    whole = [point for point in good(record, "recovered") if groups(point) and not point.units_removed]
    if len(found) < 3 or 1 not in found or not whole:
        raise NotTestable(f"{record.method} has no points with one group, with as many groups as heads, and between.")
    return interior([at_groups(record, task, count) for count in found], f"Groups: {', '.join(map(str, found))}.")
