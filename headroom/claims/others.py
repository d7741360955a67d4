"""FinerCut, layers as painters, NOSE on vision transformers, and Budhraja's random plus fine-tuning."""

from __future__ import annotations

import numpy as np

from headroom.claims.claim import claim
from headroom.claims.estimate import bootstrap, highest
from headroom.claims.evidence import Evidence
from headroom.claims.finding import Finding, NotTestable, above, at_most, below
from headroom.claims.layer_drop import TABLE_7, difference, largest_step, one_shot
from headroom.claims.michel import MIDDLE, POINT, random_heads
from headroom.claims.removal_order import depth_of_first, share_of_attention
from headroom.results.load import part
from headroom.results.stats import drawn

FINERCUT, PAINTERS, NOSE, BUDHRAJA = "arXiv:2405.18218", "arXiv:2407.09298", "arXiv:2404.05657", "EMNLP 2020, main.260"
RESAMPLES, SEED = 1000, 5


@claim(
    "F1a",
    FINERCUT,
    "Of the first quarter of sublayers that FinerCut removes, more than half are attention. Figure: that share.",
    per_task=False,
)
def finercut_prefers_attention(evidence: Evidence) -> Finding:
    return above(share_of_attention(evidence.record("finercut", remove="joint"), 0.25), 0.5)


@claim(
    "F1b",
    FINERCUT,
    """FinerCut keeps more quality than one-shot joint dropping by similarity, at 12.5, 25 and 37.5 % of the sublayers.
    Figure: mean difference in points of retained quality.""",
)
def finercut_beats_one_shot(evidence: Evidence, task: str) -> Finding:
    figure = difference(
        evidence, task, evidence.record("finercut", remove="joint"), one_shot(evidence, "joint"), TABLE_7
    )
    return above(figure * (1 / POINT), 0)


@claim(
    "P1",
    PAINTERS,
    """Middle layers share a representation space that the ends do not: in the deepest stack the outputs of two middle
    layers are more alike than those of a middle and an end layer by more than 0.1 (the ends: the first and the last
    fifth, at least one each). Figure: difference of mean cosines.""",
    per_task=False,
)
def middle_layers_share_a_space(evidence: Evidence) -> Finding:
    probe = evidence.tried()
    from headroom.claims.streams import streams

    between = streams(probe).between
    count = between.shape[1]
    if count < 4:
        raise NotTestable(f"A stack of {count} layers has no two middle layers.")
    weights = drawn(len(between), RESAMPLES, SEED).astype(float)
    figure = bootstrap(weights, lambda weight: middle_against_ends(np.average(between, axis=0, weights=weight)))
    return above(figure, 0.1, f"{count} layers.")


def middle_against_ends(cosine: np.ndarray) -> float:
    """Mean cosine of two middle layers minus that of a middle and an end layer, from (layers, layers)."""
    count = len(cosine)
    end = max(1, count // 5)
    middle = np.arange(end, count - end)
    ends = np.setdiff1d(np.arange(count), middle)
    inside = cosine[np.ix_(middle, middle)][np.triu_indices(len(middle), 1)]
    return float(inside.mean() - cosine[np.ix_(middle, ends)].mean())


@claim(
    "P2a",
    PAINTERS,
    """Skipping middle layers degrades smoothly: no step between neighbouring points takes more than half of all that is
    lost. Figure: the largest share of the loss in one step.""",
)
def skipping_degrades_smoothly(evidence: Evidence, task: str) -> Finding:
    return below(largest_step(evidence, evidence.record("painters_skip"), task), 0.5)


@claim(
    "P2b",
    PAINTERS,
    "Looped parallel and random order harm least, repeating one middle layer most; looping beats one parallel pass.",
    per_task=False,
)
def looped_parallel_harms_least(evidence: Evidence) -> Finding:
    raise NotTestable("These ways of running the layers remove nothing, and Headroom measures removal.")


@claim(
    "N1",
    NOSE,
    """On vision transformers the early attention layers are the redundant ones (after removal alone, without the
    paper's dilution training): the first quarter that NOSE drops has a mean layer below 0.4 L.
    Figure: mean layer / L.""",
    per_task=False,
)
def early_layers_of_images_go_first(evidence: Evidence) -> Finding:
    if evidence.family not in ("vit", "deit"):
        raise NotTestable("The model is no vision transformer.")
    return below(depth_of_first(evidence.record("nose_posthoc"), 0.25), 0.4)


SCORED = ("michel_greedy", "magnitude_heads", "taylor_weight", "wanda_head", "flap_head", "attention_confidence")


@claim(
    "B1",
    BUDHRAJA,
    """After the same fine-tuning, heads removed at random keep as much as those of the best scoring method: within 1
    point, or twice the spread of the draws where that is more, at 25, 37.5 and 50 %. Figure: best scoring method minus
    random, points of retained quality.""",
)
def random_matches_when_fine_tuned(evidence: Evidence, task: str) -> Finding:
    chance = random_heads(evidence)
    scored = [cell for stem in SCORED for cell in evidence.every(stem, kinds="all") if cell.grains == chance.grains]
    recovered = [cell for cell in scored if part(cell, "recovered").points]
    if not recovered or not part(chance, "recovered").points:
        raise NotTestable("Heads removed at random, or any scoring method, were not fine-tuned on this model.")
    targets = evidence.shared(MIDDLE, chance, *recovered, setting="recovered")
    kept = {cell.method: evidence.kept(cell, task, targets, "recovered") for cell in recovered}
    best = max(kept, key=lambda method: kept[method].value)
    steps = [step for step in evidence.curve(chance, task, "recovered").steps if step.target in targets]
    spread = float(np.std(np.mean([list(step.draws.values()) for step in steps], axis=0), ddof=1))
    margin = max(1.0, 2 * spread / POINT)
    figure = (highest(list(kept.values())) - evidence.kept(chance, task, targets, "recovered")) * (1 / POINT)
    return at_most(figure, margin, f"Best: {best}. Margin: {margin:.1f} points.")
