"""Voita et al. (2019): which heads gates keep, which kinds and layers they are in, and whether gates decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from headroom.api import Unit
from headroom.claims.claim import claim
from headroom.claims.estimate import Estimate, bootstrap
from headroom.claims.evidence import Evidence, good
from headroom.claims.finding import Finding, NotTestable, above, all_of, below
from headroom.results.records import CellRecord, Point
from headroom.results.stats import drawn

PAPER = "arXiv:1905.09418"
RESAMPLES, SEED = 1000, 13
Kind = tuple[str, str]
ENCODER, DECODER, CROSS = ("encoder", "self"), ("decoder", "self"), ("decoder", "cross")


@claim(
    "V1",
    PAPER,
    """Specialised heads are kept: at the point of the sweep that keeps nearest to a third of the heads of the deepest
    self-attention, the share of heads with a role is higher among the kept than among all. Roles: one neighbour for
    90 % of the tokens; the rarest token in half of the sentences; on the constructed pair also the word for time, the
    subject, the verb and the antecedent, 10 points above the best fixed distance. Figure: difference of the shares.""",
    per_task=False,
)
def specialised_heads_stay(evidence: Evidence) -> Finding:
    sweep = evidence.record("voita_l0", points="lambda")
    probe = evidence.tried()
    from headroom.claims.roles import roles

    found = roles(probe)
    gone = removed(nearest_to_a_third(sweep, found.units))
    kept = np.array([unit not in gone for unit in found.units])
    if not found.special(np.ones(len(found.tokens))).any() or not kept.any():
        raise NotTestable("No head of the dense model has a role by these measures, or none was kept.")

    def figure(weights: np.ndarray) -> float:
        special = found.special(weights)
        return float(special[kept].mean() - special.mean())

    weights = drawn(len(found.tokens), RESAMPLES, SEED).astype(float)
    special = found.special(np.ones(len(found.tokens)))
    said = f"{special.sum()} of {len(special)} heads have a role; {special[kept].sum()} of the {kept.sum()} kept ones."
    return above(bootstrap(weights, figure), 0, said)


def nearest_to_a_third(record: CellRecord, units: Sequence[Unit]) -> Point:
    """The point of a sweep that keeps nearest to a third of these units."""
    return min(points(record), key=lambda point: abs(len(set(units) - removed(point)) / len(units) - 1 / 3))


def points(record: CellRecord) -> list[Point]:
    """The points of a sweep that remove some heads and not all. Raises ``NotTestable`` when there are none."""
    found = [p for p in good(record, "recovered") if p.natural not in ("", "floor") and 0 < p.units_removed < p.units]
    if not found:
        raise NotTestable(f"{record.method} has no point that removes some heads and keeps some.")
    return found


def removed(point: Point) -> set[Unit]:
    return {Unit.parse(text) for text in point.plan}


@claim(
    "V2",
    PAPER,
    """Encoder self-attention is pruned first and cross-attention last: over the points of the sweep the mean share of
    heads kept rises from encoder self over decoder self to cross. Figure: cross minus encoder.""",
    per_task=False,
)
def encoder_goes_first_and_cross_last(evidence: Evidence) -> Finding:
    record = sweep_of_pair(evidence)
    if not of_kind(everyone(record), DECODER):
        raise NotTestable("The decoder has no heads that look at its own words.")

    def more(kind: Kind, than: Kind) -> Estimate:
        return over_seeds(record, lambda kept, whole: share_kept(kept, whole, kind) - share_kept(kept, whole, than))

    steps = more(DECODER, ENCODER), more(CROSS, DECODER)
    said = f"Shares kept: decoder self minus encoder {steps[0]:.0%}, cross minus decoder self {steps[1]:.0%}."
    return all_of(more(CROSS, ENCODER), [above(step, 0) for step in steps], said)


def sweep_of_pair(evidence: Evidence) -> CellRecord:
    """A sweep over all heads of an encoder-decoder."""
    record = evidence.record("voita_l0", points="lambda", kinds="all")
    if not any((unit.site.stack, unit.site.kind) == CROSS for unit in everyone(record)):
        raise NotTestable("The model has no cross-attention.")
    return record


def everyone(record: CellRecord) -> set[Unit]:
    """All gated heads: the largest plan is the floor."""
    plans = [removed(point) for point in good(record, "recovered") + good(record)]
    return max(plans, key=len, default=set())


Share = Callable[[set[Unit], set[Unit]], float]  # of the kept heads and all heads


def over_seeds(record: CellRecord, share: Share) -> Estimate:
    """A figure of (kept, all) heads: the mean over the points of the sweep, then over seeds."""
    whole, by_seed = everyone(record), dict[int, list[float]]()
    for point in points(record):
        by_seed.setdefault(point.seed, []).append(share(whole - removed(point), whole))
    known = ([value for value in values if np.isfinite(value)] for values in by_seed.values())
    return Estimate.over([float(np.mean(values)) if values else np.nan for values in known])


def share_kept(kept: set[Unit], whole: set[Unit], kind: Kind) -> float:
    return len(of_kind(kept, kind)) / max(len(of_kind(whole, kind)), 1)


def of_kind(units: set[Unit], kind: Kind) -> list[Unit]:
    return [unit for unit in units if (unit.site.stack, unit.site.kind) == kind]


@claim(
    "V3",
    PAPER,
    """Decoder self-attention survives in lower layers, cross-attention in upper ones. Figure: mean layer / (L - 1) of
    the cross heads kept minus that of the decoder-self heads kept, mean over the sweep, above 0.""",
    per_task=False,
)
def cross_survives_higher(evidence: Evidence) -> Finding:
    record = sweep_of_pair(evidence)
    height = max(unit.site.layer for unit in everyone(record) if unit.site.stack == "decoder")
    if not height:
        raise NotTestable("A decoder of one layer has no lower and upper layers.")

    def higher(kept: set[Unit], _: set[Unit]) -> float:
        cross, own = ([unit.site.layer / height for unit in of_kind(kept, kind)] for kind in (CROSS, DECODER))
        return float(np.mean(cross) - np.mean(own)) if cross and own else float("nan")

    figure = over_seeds(record, higher)
    if np.isnan(figure.value):
        raise NotTestable("No point of the sweep keeps heads of both kinds.")
    return above(figure, 0)


@claim(
    "V4",
    PAPER,
    """Kept heads take over functions of removed ones: at the point of the sweep that keeps nearest to a third of the
    heads, the share of kept heads with two roles or more is higher than in the dense model. Figure: difference.""",
    per_task=False,
)
def roles_drift(evidence: Evidence) -> Finding:
    sweep, probe = evidence.record("voita_l0", points="lambda"), evidence.tried()
    from headroom.claims.roles import roles, self_attention

    units = [unit for site in self_attention(probe) for unit in probe.sites[site]]
    point = nearest_to_a_third(sweep, units)
    gone = removed(point)
    if not point.weights or not Path(point.weights).is_file():
        raise NotTestable("The fine-tuned weights of the sweep are not at hand.")
    kept = np.array([unit not in gone for unit in units])
    if not kept.any():
        raise NotTestable("The sweep keeps no head of the deepest self-attention.")
    before, after = roles(probe), roles(probe, gone, point.weights)

    def figure(weights: np.ndarray) -> float:
        dense, tuned = (found.of(weights).sum(axis=-1) >= 2 for found in (before, after))
        return float(tuned[kept].mean() - dense.mean())

    return above(bootstrap(drawn(len(before.tokens), RESAMPLES, SEED).astype(float), figure), 0)


@claim(
    "V5",
    f"{PAPER}, table 2",
    "Heads kept by gates that were fine-tuned do better than the same heads trained from scratch.",
    per_task=False,
)
def gates_beat_training_from_scratch(evidence: Evidence) -> Finding:
    raise NotTestable("No method here trains a pruned shape from scratch.")


@claim(
    "V6",
    PAPER,
    """Gates end near 0 or 1: fewer than 10 % lie strictly between 0.05 and 0.95 at the end of training. Figure: that
    share, mean over the sweep.""",
    per_task=False,
)
def gates_decide(evidence: Evidence) -> Finding:
    by_seed: dict[int, list[float]] = {}
    for point in points(evidence.record("voita_l0", points="lambda")):
        told = re.search(r"(\d+(?:\.\d+)?)\s*% of the gates were undecided", point.note)
        if told:
            by_seed.setdefault(point.seed, []).append(float(told[1]) / 100)
    if not by_seed:
        raise NotTestable("No point of the sweep says how many of its gates were undecided.")
    return below(Estimate.over([float(np.mean(shares)) for shares in by_seed.values()]), 0.1)
