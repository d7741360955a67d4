"""What is true of a model while it is trained, by the checkpoints that ``train.checkpoints`` kept.

When heads become important (Michel et al., 2019), and whether attention is redundant from the start (He et al., 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from headroom.claims.claim import claim
from headroom.claims.estimate import Array, Estimate, bootstrap, lowest
from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable, above, all_of, at_least, at_most, below
from headroom.claims.layer_drop import PAPER as LAYER_DROP
from headroom.claims.michel import PAPER as MICHEL
from headroom.claims.michel import POINT, mean
from headroom.results.resamples import retained
from headroom.results.stats import drawn

if TYPE_CHECKING:
    from headroom.claims.probe import Probe, Stage
    from headroom.claims.streams import Streams

SHARES = (0.25, 0.5, 0.75)  # of the heads that go
TAYLOR = {"absolute": "token", "normalise": True, "exact": False}
SKILL = 0.1  # of the trained model's quality above chance: before it is there, there is nothing to lose
ATTENTION, MLP = ("self", "cross"), ("mlp",)  # kinds of sites
RESAMPLES, SEED = 1000, 7


@claim(
    "M7a",
    MICHEL,
    """Early in training quality falls in proportion to the heads removed: at the first checkpoint that has a tenth of
    the trained model's quality above chance (lower end of its interval), what 25, 50 and 75 % of the heads leave of its
    own quality, in its own Taylor order, lies at most 10 points above 75, 50 and 25 %. Figure: mean points above.""",
)
def early_heads_are_all_needed(evidence: Evidence, task: str) -> Finding:
    first = skilled(evidence, task)[0]
    proportion = 1 - float(np.mean(SHARES))
    figure = kept_in_taylor_order(first.probe, task) - Estimate(proportion, draws=np.full(1, proportion))
    return at_most(figure * (1 / POINT), 10, f"{first}.")


@claim(
    "M7b",
    MICHEL,
    """Late in training it is kept longer: without 25, 50 and 75 % of its heads, in Taylor order, the trained model
    keeps more of its quality than that first checkpoint keeps of its own. Figure: mean difference in points.""",
)
def late_heads_are_not(evidence: Evidence, task: str) -> Finding:
    first, *_, last = skilled(evidence, task)
    figure = kept_in_taylor_order(last.probe, task) - kept_in_taylor_order(first.probe, task)
    return above(figure * (1 / POINT), 0, f"{last} against {first}.")


@claim(
    "M7c",
    MICHEL,
    """From late in training on, 40 % of the heads can go, in Taylor order, and at least 85 % of the quality stays: at
    the last checkpoint before the end and at the end. Figure: the lower share of the two.""",
)
def late_two_fifths_can_go(evidence: Evidence, task: str) -> Finding:
    kept = [kept_without(stage.probe, task, 0.4) for stage in skilled(evidence, task)[-2:]]
    return all_of(lowest(kept), [at_least(one, 0.85) for one in kept])


def skilled(evidence: Evidence, task: str) -> list[Stage]:
    """Checkpoints with some skill in the task, and the trained model. Raises ``NotTestable`` when no checkpoint has."""
    *early, trained = evidence.tried().stages()
    able = [stage for stage in early if skill(stage.probe, trained.probe, task).ends[1] >= SKILL]
    if not able:
        raise NotTestable(f"No checkpoint reaches a tenth of the trained model's quality above chance on {task}.")
    return [*able, trained]


def skill(early: Probe, trained: Probe, task: str) -> Estimate:
    """Quality above chance as a share of the trained model's."""
    return Estimate.of(*retained(early.scores(())[task], trained.scores(())[task], trained.tasks[task]))


def kept_in_taylor_order(probe: Probe, task: str) -> Estimate:
    """Mean over ``SHARES`` of what a model keeps of its own quality."""
    return mean([kept_without(probe, task, share) for share in SHARES])


def kept_without(probe: Probe, task: str, share: float) -> Estimate:
    """What a model keeps of its own quality without this share of its heads, in its own Taylor order."""
    order = probe.order("michel-greedy", TAYLOR)
    return probe.kept(order[: int(share * len(order) + 1e-9)], task)


@claim(
    "L8a",
    LAYER_DROP,
    """Attention is redundant over all of the training: at every checkpoint and at the end the mean score of attention
    layers, 1 - cos(before, after), is below that of MLPs. Figure: the highest ratio of the two, below 1.""",
    per_task=False,
)
def attention_scores_stay_low(evidence: Evidence) -> Finding:
    found = layer_streams(evidence)

    def highest(weights: Array) -> float:
        return max(ratio(streams, weights) for streams in found.values())

    said = ", ".join(f"{stage} {ratio(streams, np.ones(len(streams.tokens))):.2f}" for stage, streams in found.items())
    return below(bootstrapped(found, highest), 1, f"{said}.")


@claim(
    "L8b",
    LAYER_DROP,
    "The mean score of MLPs rises over the training. Figure: that of the trained model minus the first checkpoint's.",
    per_task=False,
)
def scores_of_mlps_rise(evidence: Evidence) -> Finding:
    found = layer_streams(evidence)
    first, *_, last = found.values()

    def rise(weights: Array) -> float:
        return last.mean_distance(weights, MLP) - first.mean_distance(weights, MLP)

    return above(bootstrapped(found, rise), 0)


@claim(
    "L8c",
    LAYER_DROP,
    """Redundancy is inherent across training stages: at every checkpoint that has a tenth of the trained model's
    quality above chance, and at the end, a quarter of the attention layers dropped by their similarity leaves at least
    90 % of that model's own quality. Figure: the lowest share kept.""",
)
def layers_can_go_at_every_stage(evidence: Evidence, task: str) -> Finding:
    kept = {str(stage): kept_without_layers(stage.probe, task) for stage in skilled(evidence, task)}
    said = ", ".join(f"{stage} {one.value:.1%}" for stage, one in kept.items())
    return all_of(lowest(list(kept.values())), [at_least(one, 0.9) for one in kept.values()], f"{said}.")


def kept_without_layers(probe: Probe, task: str) -> Estimate:
    """What a model keeps of its own quality without the quarter of its attention layers that changes least."""
    order = probe.order("layer-similarity", {"remove": "attention"})
    return probe.kept(order[: max(1, len(order) // 4)], task)


def layer_streams(evidence: Evidence) -> dict[str, Streams]:
    """The stream around attention layers and MLPs at every stage of the training, the trained model last."""
    stages = evidence.tried().stages()
    from headroom.claims.streams import streams

    return {str(stage): streams(stage.probe, (*ATTENTION, *MLP)) for stage in stages}


def ratio(streams: Streams, weights: Array) -> float:
    """The mean score of attention layers as a share of that of MLPs."""
    return streams.mean_distance(weights, ATTENTION) / streams.mean_distance(weights, MLP)


def bootstrapped(found: dict[str, Streams], figure: Callable[[Array], float]) -> Estimate:
    """A figure of the calibration examples, which are the same at every stage."""
    examples = len(next(iter(found.values())).tokens)
    return bootstrap(drawn(examples, RESAMPLES, SEED).astype(float), figure)
