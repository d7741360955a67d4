"""Claims about the training, on made-up stages of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from constructed import Model, evidence, find, heads, reason

import headroom.claims.streams
from headroom.api import Grain, Site, Unit
from headroom.claims.finding import NotTestable
from headroom.claims.probe import Probe, Stage
from headroom.claims.streams import Streams

HEADS = heads("encoder", "self", 4, 5)
LAYERS = [Unit(Site("encoder", "self", layer), Grain.ATTENTION) for layer in range(8)]


def losing(at, units=HEADS, dense=0):
    """A model of 2,000 examples that fails on ``dense`` of them, and on a share of the others by what has gone."""
    return Model(units, lambda gone: dense + round((2000 - dense) * at(len(gone) / len(units))))


def trained(*stages):
    """What is known of a model with these stages, the last of which it is itself."""
    *early, last = stages
    last.stages = lambda: [*(Stage(f"step {place}", one) for place, one in enumerate(early)), Stage("trained", last)]
    return evidence(probe=last)


LATE = losing(lambda share: max(0.0, share - 0.5))


@pytest.mark.parametrize(
    ("early", "verdict"),
    [
        (losing(lambda share: share), "holds"),
        (losing(lambda share: min(1, 2 * share)), "holds"),
        (losing(lambda share: max(0.0, share - 0.1)), "undecided"),
        (losing(lambda share: share / 2), "does not hold"),
    ],
    ids=["in proportion", "faster", "nearly", "half as fast"],
)
def test_early_heads_are_all_needed(early, verdict):
    found = find("M7a", trained(early, LATE))
    assert found.verdict == verdict and found.reason == "step 0."


def test_what_is_kept_is_of_the_checkpoints_own_quality():
    """It answers one question in five, and half of these without half of the heads."""
    found = find("M7a", trained(losing(lambda share: share, dense=1600), LATE))
    assert found.figure.value == pytest.approx(0, abs=0.5)


def test_a_checkpoint_without_skill_is_passed_over():
    blank = losing(lambda share: 0.0, dense=1950)  # a fortieth of what the trained model can do
    assert find("M7a", trained(blank, losing(lambda share: share), LATE)).reason == "step 1."
    for id in ("M7a", "M7b", "M7c", "L8c"):
        assert "No checkpoint reaches a tenth" in reason(id, trained(blank, LATE))


@pytest.mark.parametrize(("early", "verdict"), [(lambda share: share, "holds"), (lambda share: 0.0, "does not hold")])
def test_late_heads_are_not(early, verdict):
    found = find("M7b", trained(losing(early), LATE))
    assert found.verdict == verdict and found.reason == "trained against step 0."


@pytest.mark.parametrize(
    ("last_checkpoint", "model", "verdict"),
    [(0.1, 0.1, "holds"), (0.4, 0.1, "does not hold"), (0.1, 0.4, "does not hold"), (0.15, 0.1, "undecided")],
)
def test_late_two_fifths_can_go(last_checkpoint, model, verdict):
    stages = [losing(lambda share, lost=lost: lost * (share >= 0.4)) for lost in (1.0, last_checkpoint, model)]
    assert find("M7c", trained(*stages)).verdict == verdict


@pytest.mark.parametrize(
    ("lost", "verdict"),
    [((0.02, 0.02, 0.02), "holds"), ((0.3, 0.02, 0.02), "does not hold"), ((0.1, 0.02, 0.02), "undecided")],
    ids=["always", "not at first", "at first about as much"],
)
def test_layers_can_go_at_every_stage(lost, verdict):
    stages = [losing(lambda share, lost=lost: lost * (share >= 0.25), LAYERS) for lost in lost]
    found = find("L8c", trained(*stages))
    assert found.verdict == verdict and found.figure.value == pytest.approx(1 - max(lost), abs=0.001)
    assert "step 0" in found.reason and "trained 98.0%" in found.reason


def streams(attention: float, mlp: float, seed: int) -> Streams:
    """100 examples around two layers of each kind."""
    sites = [Site("encoder", kind, layer) for layer in range(2) for kind in ("mlp", "self")]
    distance = np.tile([mlp, attention] * 2, (100, 1)) + np.random.default_rng(seed).normal(0, 0.01, (100, 4))
    return Streams(sites, 10 * (1 - distance), np.full((100, 4), 10), np.zeros((100, 2, 2)))


def scored(monkeypatch, *scores):
    """Stages at which attention and MLPs have these mean scores."""
    stages = [losing(lambda share: share) for _ in scores]
    found = {id(stage): streams(*scores[place], seed=place) for place, stage in enumerate(stages)}
    monkeypatch.setattr(headroom.claims.streams, "streams", lambda probe, kinds: found[id(probe)])
    return trained(*stages)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([(0.1, 0.3), (0.1, 0.4)], "holds"),
        ([(0.4, 0.3), (0.1, 0.4)], "does not hold"),
        ([(0.1, 0.3), (0.4, 0.4)], "undecided"),
    ],
)
def test_attention_scores_stay_low(scores, verdict, monkeypatch):
    found = find("L8a", scored(monkeypatch, *scores))
    assert found.verdict == verdict and found.figure.value == pytest.approx(max(a / m for a, m in scores), rel=0.05)
    assert found.reason.startswith("step 0 ") and "trained " in found.reason


@pytest.mark.parametrize(("last", "verdict"), [(0.4, "holds"), (0.3, "undecided"), (0.2, "does not hold")])
def test_scores_of_mlps_rise(last, verdict, monkeypatch):
    assert find("L8b", scored(monkeypatch, (0.1, 0.3), (0.1, 0.9), (0.1, last))).verdict == verdict


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SimpleNamespace(train=None), "came trained"),
        (SimpleNamespace(train=SimpleNamespace(checkpoints=(5,)), source=SimpleNamespace(config=None)), "pretrained"),
        (
            SimpleNamespace(train=SimpleNamespace(checkpoints=()), source=SimpleNamespace(config={})),
            "kept no checkpoints",
        ),
    ],
)
def test_a_model_without_checkpoints_says_why(spec, said):
    with pytest.raises(NotTestable, match=said):
        Probe.stages(SimpleNamespace(run=SimpleNamespace(spec=spec)))


@pytest.mark.parametrize("id", ["M7a", "M7b", "M7c", "L8a", "L8b", "L8c"])
def test_without_the_model_nothing_is_said_of_its_training(id):
    assert "has to be measured on the model" in reason(id, evidence())
