"""He et al. (2024, LLM-Drop): which sublayers go first, what that costs, and what the score depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headroom.claims.claim import claim
from headroom.claims.estimate import DENSE, Estimate, highest, lowest
from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable, above, all_of, at_least, at_most, below
from headroom.claims.michel import POINT
from headroom.claims.removal_order import depth_of_first, drops_the_last, plans, share_of_attention
from headroom.results.records import CellRecord

PAPER = "arXiv:2406.15786"
EARLY = (0.125, 0.25)  # n = L/8 and L/4
TABLE_7 = (0.125, 0.25, 0.375)  # 4, 8 and 12 of 32 layers
ONE_SHOT: dict[str, Any] = {"iterative": False, "residual": True, "kinds": "all"}
SMALL, DRAWS, SEED = 4, 1000, 3  # calibration examples of a small sample, and how many samples are drawn


@claim(
    "L1",
    PAPER,
    """At n = L/8 and L/4, dropping attention loses at most half as much as dropping MLPs and as dropping blocks, each
    in the order of its similarity. Figure: the smaller of those losses minus twice that of attention, in points.""",
)
def attention_is_cheapest_to_drop(evidence: Evidence, task: str) -> Finding:
    attention, *others = (one_shot(evidence, what) for what in ("attention", "mlp", "block"))
    targets = evidence.shared(EARLY, attention, *others)
    kept = {cell.grains[0]: evidence.kept(cell, task, targets) for cell in (attention, *others)}
    said = ", ".join(f"{name} {one.value:.1%}" for name, one in kept.items())
    own, other = DENSE - kept[attention.grains[0]], DENSE - highest([kept[cell.grains[0]] for cell in others])
    return at_least((other - own * 2) * (1 / POINT), 0, f"Retained: {said}.")


def one_shot(evidence: Evidence, what: str) -> CellRecord:
    """The record of layer similarity over attention, mlp, block or joint."""
    return evidence.record("layer_similarity", remove=what, **ONE_SHOT)


@claim(
    "L2",
    PAPER,
    """Deep attention layers go first, except the very last: the first quarter dropped has a mean layer (counted from 0)
    above 0.6 L, and the last layer is not among the first eighth. Figure: mean layer / L of the first quarter.""",
    per_task=False,
)
def deep_layers_go_first(evidence: Evidence) -> Finding:
    record = one_shot(evidence, "attention")
    depth = depth_of_first(record, 0.25)
    last = [drops_the_last(nested, 0.125) for nested in plans(record).values()]
    said = f"The last layer is in the first eighth for {sum(last)} of {len(last)} seeds."
    return all_of(depth, [above(depth, 0.6), at_most(Estimate(sum(last)), 0)], said)


@claim(
    "L3a",
    PAPER,
    """Four calibration examples rank the attention layers as all of them do. Figure: median Spearman correlation over
    1000 samples of four, above 0.9; interval: 95 % of the samples.""",
    per_task=False,
)
def ranking_needs_few_examples(evidence: Evidence) -> Finding:
    probe = evidence.tried()
    from headroom.claims.streams import streams

    found = streams(probe)
    if len(found.sites) < 3:
        raise NotTestable("Fewer than three attention layers have no ranking to speak of.")
    whole, generator = found.distances(np.arange(len(found.tokens))), np.random.default_rng(SEED)
    samples = (generator.choice(len(found.tokens), SMALL, replace=False) for _ in range(DRAWS))
    draws = np.array([spearman(found.distances(sample), whole) for sample in samples])
    return above(Estimate.of(float(np.median(draws)), draws), 0.9, f"{len(found.sites)} layers.")


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


@claim(
    "L3b",
    PAPER,
    "Calibration texts of another corpus rank the attention layers alike (Spearman above 0.9).",
    per_task=False,
)
def ranking_needs_no_special_corpus(evidence: Evidence) -> Finding:
    raise NotTestable("A model has one calibration split here, that of its first task.")


@claim(
    "L4",
    f"{PAPER}, table 6",
    """Scored with the residual inside, attention layers dropped at L/4 keep at least 5 points more than scored on what
    the layer alone adds. Figure: difference in points of retained quality.""",
)
def residual_belongs_inside(evidence: Evidence, task: str) -> Finding:
    probe = evidence.tried()
    order = {inside: probe.order("layer-similarity", {"residual": inside}) for inside in (True, False)}
    with_it, without = (set(units[: max(1, len(units) // 4)]) for units in order.values())
    said = "The two drop the same layers." if with_it == without else ""
    return at_least((probe.kept(with_it, task) - probe.kept(without, task)) * (1 / POINT), 5, said)


@claim(
    "L5a",
    f"{PAPER}, table 7",
    """Attention layers dropped by cosine keep at least 5 points more than at random, at 12.5, 25 and 37.5 %.
    Figure: mean difference in points of retained quality.""",
)
def cosine_beats_random(evidence: Evidence, task: str) -> Finding:
    cosine, chance = one_shot(evidence, "attention"), evidence.record("random_heads", remove="attention")
    return at_least(difference(evidence, task, cosine, chance, TABLE_7) * (1 / POINT), 5)


def difference(evidence: Evidence, task: str, one: CellRecord, other: CellRecord, wanted: Sequence[float]) -> Estimate:
    """What one record keeps more than another, mean over the wanted targets at which both remove something."""
    targets = evidence.shared(wanted, one, other)
    return evidence.kept(one, task, targets) - evidence.kept(other, task, targets)


@claim(
    "L5b",
    f"{PAPER}, table 7",
    """Up to 25 %, attention layers dropped by cosine and deepest first keep the same within 5 points.
    Figure: mean difference in points of retained quality, either way.""",
)
def cosine_is_like_deepest_first(evidence: Evidence, task: str) -> Finding:
    cosine, deepest = one_shot(evidence, "attention"), evidence.record("by_depth", order="deepest", remove="attention")
    figure = difference(evidence, task, cosine, deepest, EARLY) * (1 / POINT)
    return all_of(figure, [above(figure, -5), below(figure, 5)])


@claim(
    "L6",
    PAPER,
    """Scoring again after every removal does not beat one-shot scoring by more than 1 point, at n = L/8 and L/4.
    Figure: iterative minus one-shot, points of retained quality.""",
)
def iterative_does_not_win(evidence: Evidence, task: str) -> Finding:
    again = evidence.record("layer_similarity", remove="attention", iterative=True)
    return at_most(difference(evidence, task, again, one_shot(evidence, "attention"), EARLY) * (1 / POINT), 1)


@claim(
    "L7",
    PAPER,
    """Of the first quarter of modules that joint dropping removes, at least 85 % are attention (14 of the first 14 of
    64, 18 of 80 in the paper). Figure: that share.""",
    per_task=False,
)
def joint_takes_attention_first(evidence: Evidence) -> Finding:
    return at_least(share_of_attention(one_shot(evidence, "joint"), 0.25), 0.85)


@claim(
    "L9",
    PAPER,
    """Of two models of one family on the same task, the one with more layers keeps more with 37.5 % of its attention
    layers dropped. Figure: the larger minus the smaller, points of retained quality.""",
)
def larger_models_tolerate_more(evidence: Evidence, task: str) -> Finding:
    own = one_shot(evidence, "attention")
    others = [evidence.of(model) for model in evidence.records.models if model != evidence.model]
    cells = [
        (other, cell) for other in others for cell in other.every("layer_similarity", remove="attention", **ONE_SHOT)
    ]
    smaller = [(o, c) for o, c in cells if c.family == own.family and task in c.tasks and size(c) < size(own)]
    if not smaller:
        raise NotTestable("The profile has no smaller model of the family with the task.")
    other, cell = max(smaller, key=lambda pair: size(pair[1]))
    figure = evidence.kept(own, task, [0.375]) - other.kept(cell, task, [0.375])
    return above(figure * (1 / POINT), 0, f"Compared with {other.model}.")


def size(record: CellRecord) -> int:
    """Attention layers of the model."""
    return max((point.units for point in record.points), default=0)


LONG = ("gsm8k", "longbench", "banking77", "narrativeqa", "qasper", "math")


@claim(
    "L10",
    PAPER,
    """At n = L/8 and L/4 of the attention layers, arithmetic and long contexts lose more than the model's other tasks.
    Figure: the lowest of the others minus this one, points of retained quality.""",
)
def long_and_arithmetic_suffer_first(evidence: Evidence, task: str) -> Finding:
    record = one_shot(evidence, "attention")
    short = [other for other in record.tasks if not other.startswith(LONG)]
    if not task.startswith(LONG) or not short:
        raise NotTestable("The task is neither arithmetic nor long, or there is no short one beside it.")
    targets = evidence.shared(EARLY, record)
    worst = lowest([evidence.kept(record, other, targets) for other in short])
    return above((worst - evidence.kept(record, task, targets)) * (1 / POINT), 0)


@claim(
    "L11",
    PAPER,
    """Knowledge (MMLU) collapses abruptly: of all that is lost, at least half goes between two neighbouring targets.
    Figure: the largest share of the loss in one step.""",
)
def knowledge_collapses_abruptly(evidence: Evidence, task: str) -> Finding:
    if not task.startswith("mmlu"):
        raise NotTestable("The task does not ask for knowledge.")
    return at_least(largest_step(evidence, one_shot(evidence, "attention"), task), 0.5)


def largest_step(evidence: Evidence, record: CellRecord, task: str) -> Estimate:
    """The largest fall of quality between neighbouring points, as a share of the fall from dense to the last."""
    by_seed = [evidence.curve(record, task).seed(seed) for seed in evidence.curve(record, task).seeds()]
    if not by_seed or min(1 - kept[-1] for kept in by_seed) < 5 * POINT:
        raise NotTestable(f"{record.method} loses less than 5 points over all its targets, so no step stands out.")
    return Estimate.over([float(np.max(-np.diff(kept)) / (1 - kept[-1])) for kept in by_seed])
