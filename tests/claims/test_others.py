"""FinerCut's, the painters', NOSE's and Budhraja's claims on made-up records."""

from __future__ import annotations

import numpy as np
import pytest
from constructed import cell, curve, evidence, find, nested, reason

import headroom.claims.streams
from headroom.claims.streams import Streams

JOINT = {"remove": "joint", "iterative": False, "residual": True}
ATTENTION, MLP = (
    [f"{grain}:encoder.{kind}.{at}" for at in range(8)] for grain, kind in (("attention", "self"), ("mlp", "mlp"))
)


@pytest.mark.parametrize(("attention_first", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_finercut_prefers_attention(attention_first, verdict):
    order = [*ATTENTION, *MLP] if attention_first else [*MLP, *ATTENTION]
    found = find("F1a", evidence(cell("finercut", nested(order), ["attention", "mlp"], parameters={"remove": "joint"})))
    assert found.verdict == verdict and found.figure.value == attention_first


@pytest.mark.parametrize(("kept", "verdict"), [(0.95, "holds"), (0.9, "undecided"), (0.85, "does not hold")])
def test_finercut_beats_one_shot(kept, verdict):
    both = ["attention", "mlp"]
    joint = cell("layer_similarity", curve(lambda _: 0.9), both, parameters=JOINT)
    known = evidence(cell("finercut", curve(lambda _: kept), both, parameters={"remove": "joint"}), joint)
    assert find("F1b", known).verdict == verdict


def test_without_finercut_nothing_is_said_of_it():
    assert "finercut" in reason("F1a", evidence()) and "finercut" in reason("F1b", evidence())


def alike(middle: float, ends: float, layers: int = 6) -> Streams:
    """Cosine of two middle layers, and of any layer with the first or last."""
    between = np.full((layers, layers), middle)
    between[[0, -1]] = between[:, [0, -1]] = ends
    return Streams([], np.empty(0), np.empty(0), np.tile(between, (20, 1, 1)))


@pytest.mark.parametrize(("ends", "verdict"), [(0.3, "holds"), (0.85, "does not hold")])
def test_middle_layers_share_a_space(ends, verdict, monkeypatch):
    monkeypatch.setattr(headroom.claims.streams, "streams", lambda probe: alike(0.9, ends))
    found = find("P1", evidence(probe=object()))
    assert found.verdict == verdict and found.figure.value == pytest.approx(0.9 - ends)


def test_three_layers_have_no_middle(monkeypatch):
    monkeypatch.setattr(headroom.claims.streams, "streams", lambda probe: alike(0.9, 0.3, layers=3))
    assert "no two middle layers" in reason("P1", evidence(probe=object()))


@pytest.mark.parametrize(
    ("fall", "verdict"), [(lambda s: 1 - s, "holds"), (lambda s: 1.0 * (s < 0.3), "does not hold")]
)
def test_skipping_degrades_smoothly(fall, verdict):
    assert find("P2a", evidence(cell("painters_skip", curve(fall), ["block"]))).verdict == verdict


def test_what_loses_nothing_has_no_steps_and_other_orders_are_no_removal():
    assert "less than 5 points" in reason("P2a", evidence(cell("painters_skip", curve(lambda _: 0.99), ["block"])))
    assert "remove nothing" in reason("P2b", evidence())


@pytest.mark.parametrize(("early", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_early_layers_of_images_go_first(early, verdict):
    order = ATTENTION if early else ATTENTION[::-1]
    nose = cell("nose_posthoc", nested(order), ["attention"])
    known = evidence(*(one.model_copy(update={"family": "vit"}) for one in (cell("dense", []), nose)))
    assert find("N1", known).verdict == verdict
    assert "no vision transformer" in reason("N1", evidence(nose))


@pytest.mark.parametrize(("scored", "verdict"), [(0.9, "holds"), (0.916, "undecided"), (0.97, "does not hold")])
def test_random_matches_when_fine_tuned(scored, verdict):
    again = {"setting": "recovered"}
    chance = cell("random_heads", curve(lambda _: 0.9, seeds=5, spread=0.01, **again), parameters={"remove": "head"})
    known = evidence(cell("michel_greedy", curve(lambda _: scored, **again)), chance)
    found = find("B1", known)
    assert found.verdict == verdict and "michel-greedy" in found.reason


def test_as_is_points_say_nothing_of_fine_tuning():
    chance = cell("random_heads", curve(lambda _: 0.9, seeds=5), parameters={"remove": "head"})
    assert "not fine-tuned" in reason("B1", evidence(cell("michel_greedy", curve(lambda _: 0.9)), chance))
