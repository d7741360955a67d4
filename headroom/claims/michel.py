"""Michel, Levy and Neubig (2019): most heads can go one by one, Taylor order, what collapses, and speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headroom.api import Grain, Site, Unit
from headroom.claims.claim import claim
from headroom.claims.estimate import DENSE, Estimate, highest, lowest
from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable, above, all_of, at_least, at_most, below
from headroom.claims.removal_order import plans
from headroom.results.records import CellRecord
from headroom.results.resamples import retained
from headroom.results.speed_records import SpeedPoint

PAPER = "arXiv:1905.10650"
MIDDLE = (0.25, 0.375, 0.5)  # of the suite's targets those within the 20 to 50 % that the paper speaks of
POINT = 0.01  # of retained quality
TAYLOR = {"absolute": "token", "normalise": True, "exact": False, "kinds": "all"}


@claim(
    "M1a",
    PAPER,
    """Silenced one at a time, the median head changes retained quality by less than 0.1 point, either way. Figure: the
    median change in points.""",
)
def the_median_head_is_redundant(evidence: Evidence, task: str) -> Finding:
    probe = evidence.tried()
    facts, examples = probe.tasks[task], len(probe.rows[task])
    if facts.metric == "accuracy" and 100 / examples > 0.1:
        raise NotTestable(f"Of {examples} examples each counts {100 / examples:.2f} points, so 0.1 cannot be seen.")
    effects = single_heads(evidence, task)
    sizes = np.abs([effect.value for effect in effects]) / POINT
    draws = np.median(np.abs([effect.resampled for effect in effects]), axis=0) / POINT
    return below(Estimate.of(float(np.median(sizes)), draws), 0.1, f"{len(effects)} heads, {examples} examples.")


@claim(
    "M1b",
    PAPER,
    """Silenced one at a time, at most 15 % of the heads change the quality significantly (99 % interval without zero).
    Figure: their share.""",
)
def few_heads_matter_alone(evidence: Evidence, task: str) -> Finding:
    effects = single_heads(evidence, task)
    sure = [effect.value for effect in effects if significant(effect)]
    said = f"{len(sure)} of {len(effects)} heads, {sum(value > 0 for value in sure)} of which improve when they go."
    return at_most(Estimate(len(sure) / len(effects)), 0.15, said)


def single_heads(evidence: Evidence, task: str) -> list[Estimate]:
    """What every head changes when it alone is silenced: retained quality minus one."""
    probe = evidence.tried()
    probe.refuse_hours()
    return [probe.kept([unit], task) - DENSE for unit in probe.units]


def significant(effect: Estimate) -> bool:
    """Whether the 99 % interval leaves out zero: the paper's p < 0.01."""
    low, high = np.percentile(effect.resampled, [0.5, 99.5])
    return bool(low > 0 or high < 0)


@claim(
    "M2a",
    PAPER,
    """With only its best head (chosen on calibration examples), more than half of the attention sites lose less than
    2 points of retained quality each. Figure: the share of such sites.""",
)
def most_sites_need_one_head(evidence: Evidence, task: str) -> Finding:
    losses = one_head_losses(evidence, task)
    draws = np.mean([loss.resampled < 2 * POINT for loss in losses.values()], axis=0)
    figure = Estimate.of(float(np.mean([loss.value < 2 * POINT for loss in losses.values()])), draws)
    worst = max(losses, key=lambda site: losses[site].value)
    return above(figure, 0.5, f"Worst: {worst}, which loses {losses[worst].value / POINT:.1f} points.")


@claim(
    "M2b",
    PAPER,
    """With only its best head, the cross-attention of the last decoder layer loses at least 5 times as much as any
    other site. Figure: its loss minus 5 times the next worst, in points of retained quality.""",
)
def last_cross_attention_needs_its_heads(evidence: Evidence, task: str) -> Finding:
    crosses = [site for site in evidence.tried().sites if site.kind == "cross"]
    if not crosses:
        raise NotTestable("The model has no cross-attention.")
    losses, last = one_head_losses(evidence, task), max(crosses, key=lambda site: site.layer)
    others = {site: loss for site, loss in losses.items() if site != last}
    worst = max(others, key=lambda site: others[site].value)
    said = f"{last} loses {losses[last].value / POINT:.1f} points, {worst} {others[worst].value / POINT:.1f}."
    return at_least((losses[last] - others[worst] * 5) * (1 / POINT), 0, said)


def one_head_losses(evidence: Evidence, task: str) -> dict[Site, Estimate]:
    """Retained quality lost at every site that is left with its best head."""
    probe = evidence.tried()
    probe.refuse_hours()
    chosen, sites = probe.best_heads(), probe.sites
    if not chosen:
        raise NotTestable("Every attention site has one head to begin with.")
    return {
        site: DENSE - probe.kept([unit for unit in sites[site] if unit != best], task) for site, best in chosen.items()
    }


@claim(
    "M3a",
    PAPER,
    """Heads removed in Taylor order keep more quality than in the order of their single ablations (from those that
    help least), at 25, 37.5 and 50 % of the heads. Figure: mean difference of retained quality.""",
)
def taylor_beats_single_ablation(evidence: Evidence, task: str) -> Finding:
    taylor, probe = evidence.record("michel_greedy", **TAYLOR), evidence.tried()
    nested = plans(taylor).get(probe.seed, [])
    effects = dict(zip(probe.units, single_heads(evidence, task), strict=True))
    order = sorted(probe.units, key=lambda unit: (-effects[unit].value, unit.place))
    counts = [int(target * len(order) + 1e-9) for target in MIDDLE]
    chosen = [plan for plan in nested if len(plan) in counts]
    if len(chosen) < len(counts):
        raise NotTestable(f"{taylor.method} has not all of its points at 25, 37.5 and 50 %.")
    pairs = [probe.kept(plan, task) - probe.kept(order[: len(plan)], task) for plan in chosen]
    return above(mean(pairs), 0, f"Both on {probe.examples} evaluation examples, which the ablations were ranked on.")


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of estimates that have draws on the same resamples."""
    draws = np.mean([one.resampled for one in estimates], axis=0)
    return Estimate.of(float(np.mean([one.value for one in estimates])), draws)


@claim(
    "M3b",
    PAPER,
    """Heads removed in Taylor order keep more quality than at random (five draws or more), at 25, 37.5 and 50 % of the
    heads. Figure: mean difference of retained quality.""",
)
def taylor_beats_random(evidence: Evidence, task: str) -> Finding:
    taylor, chance = evidence.record("michel_greedy", **TAYLOR), random_heads(evidence)
    targets = evidence.shared(MIDDLE, taylor, chance)
    return above(evidence.kept(taylor, task, targets) - evidence.kept(chance, task, targets), 0)


def random_heads(evidence: Evidence, draws: int = 5) -> CellRecord:
    """The record of heads removed at random. Raises ``NotTestable`` for fewer draws than asked for."""
    fine = ({str(Grain.HEAD)}, {str(Grain.KV_GROUP)})
    found = next((cell for cell in evidence.every("random_heads", kinds="all") if set(cell.grains) in fine), None)
    if found is None:
        raise NotTestable("No method of this profile removes heads at random.")
    if len(found.costs) < draws:
        raise NotTestable(f"{found.method} has {len(found.costs)} draws, and {draws} are needed.")
    return found


@claim(
    "M4",
    PAPER,
    """With 80 % of its heads removed in Taylor order, self-attention of the encoder, and that of the decoder, keeps at
    least 80 % of the quality, while cross-attention keeps less than half. Figure: the lower of the two self-attentions
    minus cross-attention.""",
)
def cross_attention_collapses(evidence: Evidence, task: str) -> Finding:
    probe = evidence.tried()
    kinds = sorted({(site.stack, site.kind) for site in probe.sites})
    if ("decoder", "cross") not in kinds:
        raise NotTestable("The model has no cross-attention.")
    held = evidence.record("michel_greedy", **TAYLOR).parameters
    order = probe.order("michel-greedy", {name: held[name] for name in held if name != "kinds"})  # in older records
    kept = {f"{stack}.{kind}": probe.kept(worst_of_kind(order, stack, kind, 0.8), task) for stack, kind in kinds}
    cross = kept.pop("decoder.cross")
    said = ", ".join(f"{kind} keeps {one:.0%}" for kind, one in kept.items())
    parts = [*(at_least(one, 0.8) for one in kept.values()), below(cross, 0.5)]
    return all_of(lowest(list(kept.values())) - cross, parts, f"{said}, decoder.cross {cross:.0%}.")


def worst_of_kind(order: Sequence[Unit], stack: str, kind: str, share: float) -> Sequence[Unit]:
    """The first share of one kind of attention in a removal order."""
    own = [unit for unit in order if (unit.site.stack, unit.site.kind) == (stack, kind)]
    return own[: int(share * len(own) + 1e-9)]


@claim(
    "M5",
    PAPER,
    """What single heads change correlates across domains, here the shorter and the longer half of the evaluation
    examples. Figure: Pearson's r over the heads, above 0.4.""",
)
def effects_correlate_across_domains(evidence: Evidence, task: str) -> Finding:
    probe = evidence.tried()
    lengths = [text_length(row) for row in probe.rows[task]]
    if not any(lengths):
        raise NotTestable("Images have no length to part them by.")
    by_length = np.argsort(lengths, kind="stable")
    halves = by_length[: len(by_length) // 2], by_length[len(by_length) // 2 :]
    probe.refuse_hours()
    dense, facts = probe.scores(())[task], probe.tasks[task]
    effects = []
    for unit in probe.units:
        stats = probe.scores([unit])[task]
        effects.append([retained(stats[half], dense[half], facts) for half in halves])
    values = np.array([[value for value, _ in pair] for pair in effects])  # (heads, 2)
    draws = np.array([[drawn for _, drawn in pair] for pair in effects])  # (heads, 2, resamples)
    if (values.std(axis=0) == 0).any():
        raise NotTestable("No single head changes the quality of one of the halves.")
    return above(Estimate.of(pearson(values), np.array([pearson(draw) for draw in np.moveaxis(draws, -1, 0)])), 0.4)


def text_length(row: dict[str, Any]) -> int:
    """Characters of what the model reads; 0 for images."""
    return len(row.get("source") or row.get("text") or row.get("context") or "")


def pearson(pairs: np.ndarray) -> float:
    """Correlation of two columns; 0 where one of them does not vary."""
    return 0.0 if (pairs.std(axis=0) == 0).any() else float(np.corrcoef(pairs.T)[0, 1])


@claim(
    "M6",
    PAPER,
    """Half of the heads removed bring less than 10 % more speed at batch 1 and at least 10 % at a batch of 16 or more.
    Figure: speed-up at the larger batch minus that at batch 1.""",
    per_task=False,
)
def speed_depends_on_the_batch(evidence: Evidence) -> Finding:
    points = [point for cell in evidence.every("michel_greedy", **TAYLOR) for point in evidence.speeds(cell)]
    half = [point for point in points if point.target == 0.5 and point.work in ("encode", "prefill", "images")]
    one, many = ([p for p in half if p.batch == 1], [p for p in half if p.batch >= 16])
    if not one or not many:
        batches = ", ".join(str(batch) for batch in sorted({point.batch for point in half})) or "none"
        raise NotTestable(f"Speed at half of the heads was timed at batch {batches}, not at 1 and 16 or more.")
    slow, fast = lowest([speed(p) for p in one]), highest([speed(p) for p in many])
    said = f"Speed-up {slow:.2f} at batch 1, {fast:.2f} at batch {max(p.batch for p in many)}."
    return all_of(fast - slow, [below(slow, 1.1), at_least(fast, 1.1)], said)


def speed(point: SpeedPoint) -> Estimate:
    return Estimate(point.speedup, point.speedup_low, point.speedup_high)
