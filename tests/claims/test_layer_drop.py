"""LLM-Drop's claims on made-up records."""

from __future__ import annotations

import numpy as np
import pytest
from constructed import Model, cell, curve, evidence, find, nested, point, reason

import headroom.claims.streams
from headroom.api import Grain, Site, Unit
from headroom.claims.streams import Streams

ATTENTION = {"remove": "attention", "iterative": False, "residual": True}


def similarity(points, what: str = "attention", **changed):
    grains = ["attention", "mlp"] if what == "joint" else [what]
    parameters = {**ATTENTION, "remove": what, **changed}
    name = "-".join(["layer-similarity", what, *(key for key, value in changed.items() if value)])
    return cell("layer_similarity", points, grains, parameters=parameters, method=name)


def layers(*places: int) -> list[str]:
    return [f"attention:encoder.self.{place}" for place in places]


@pytest.mark.parametrize(("attention", "verdict"), [(0.99, "holds"), (0.975, "undecided"), (0.92, "does not hold")])
def test_attention_is_cheapest_to_drop(attention, verdict):
    kept = {"attention": attention, "mlp": 0.95, "block": 0.9}
    found = find("L1", evidence(*(similarity(curve(lambda _, k=k: k), what) for what, k in kept.items())))
    assert found.verdict == verdict and found.figure.value == pytest.approx(100 * (0.05 - 2 * (1 - attention)))


def test_a_missing_record_is_named():
    assert "methods/layer_similarity.py with remove=mlp" in reason("L1", evidence(similarity(curve(lambda _: 1))))


@pytest.mark.parametrize(
    ("order", "verdict"),
    [
        ((6, 5, 7, 4, 3, 2, 1, 0), "holds"),
        ((7, 6, 5, 4, 3, 2, 1, 0), "does not hold"),
        ((1, 2, 3, 4, 5, 6, 7, 0), "does not hold"),
    ],
    ids=["deep but not the last", "the last first", "shallow first"],
)
def test_deep_layers_go_first(order, verdict):
    assert find("L2", evidence(similarity(nested(layers(*order))))).verdict == verdict


def test_depth_needs_points():
    assert "no points" in reason("L2", evidence(similarity([])))


def streams(stable: bool, sites: int = 6, between=None) -> Streams:
    """200 examples that agree on the order of the layers, or each have their own."""
    generator = np.random.default_rng(0)
    distance = np.tile(np.linspace(0.1, 0.6, sites), (200, 1))
    distance = distance if stable else generator.permuted(distance, axis=1)
    where = [Site("encoder", "self", layer) for layer in range(sites)]
    return Streams(where, 10 * (1 - distance), np.full((200, sites), 10), between)


@pytest.mark.parametrize("stable", [True, False])
def test_ranking_needs_few_examples(stable, monkeypatch):
    monkeypatch.setattr(headroom.claims.streams, "streams", lambda probe: streams(stable))
    assert find("L3a", evidence(probe=object())).verdict == ("holds" if stable else "does not hold")


def test_two_layers_have_no_ranking(monkeypatch):
    monkeypatch.setattr(headroom.claims.streams, "streams", lambda probe: streams(True, sites=2))
    assert "ranking" in reason("L3a", evidence(probe=object()))


@pytest.mark.parametrize(("wrong", "verdict"), [(400, "holds"), (20, "does not hold")])
def test_residual_belongs_inside(wrong, verdict):
    """Without the residual the score drops layer 0, which costs 20 points or 1."""
    units = [Unit(Site("encoder", "self", layer), Grain.ATTENTION) for layer in range(4)]
    model = Model(units, lambda gone: wrong * (units[0] in gone), inside=units[::-1], outside=units)
    found = find("L4", evidence(probe=model))
    assert found.verdict == verdict and found.figure.value == pytest.approx(wrong / 20)


@pytest.mark.parametrize(("kept", "verdict"), [(0.9, "holds"), (0.75, "undecided"), (0.72, "does not hold")])
def test_cosine_beats_random(kept, verdict):
    chance = cell("random_heads", curve(lambda _: 0.7, seeds=5), ["attention"], parameters={"remove": "attention"})
    assert find("L5a", evidence(similarity(curve(lambda _: kept)), chance)).verdict == verdict


@pytest.mark.parametrize(
    ("deepest", "verdict"),
    [(0.88, "holds"), (0.85, "undecided"), (0.95, "undecided"), (0.8, "does not hold"), (0.99, "does not hold")],
)
def test_cosine_is_like_deepest_first(deepest, verdict):
    deep = cell(
        "by_depth", curve(lambda _: deepest), ["attention"], parameters={"order": "deepest", "remove": "attention"}
    )
    assert find("L5b", evidence(similarity(curve(lambda _: 0.9)), deep)).verdict == verdict


@pytest.mark.parametrize(
    ("again", "verdict"), [(0.9, "holds"), (0.7, "holds"), (0.91, "undecided"), (0.95, "does not hold")]
)
def test_iterative_does_not_win(again, verdict):
    known = evidence(similarity(curve(lambda _: 0.9)), similarity(curve(lambda _: again), iterative=True))
    assert find("L6", known).verdict == verdict


def test_iterative_is_looked_up_by_its_parameter():
    assert "iterative=True" in reason("L6", evidence(similarity(curve(lambda _: 0.9))))


@pytest.mark.parametrize(("mlps", "verdict"), [(0, "holds"), (2, "does not hold")])
def test_joint_takes_attention_first(mlps, verdict):
    order = [*(f"mlp:encoder.mlp.{at}" for at in range(mlps)), *layers(*range(8))]
    order += [f"mlp:encoder.mlp.{at}" for at in range(mlps, 8)]
    found = find("L7", evidence(similarity(nested(order), "joint")))
    assert found.verdict == verdict and found.figure.value == pytest.approx(1 - mlps / 4)


@pytest.mark.parametrize(("large", "verdict"), [(0.95, "holds"), (0.8, "undecided"), (0.7, "does not hold")])
def test_larger_models_tolerate_more(large, verdict):
    own = similarity(curve(lambda _: large, units=16))
    small = similarity(curve(lambda _: 0.8, units=8)).model_copy(update={"model": "small"})
    assert find("L9", evidence(own, small)).verdict == verdict
    assert "no smaller model" in reason("L9", evidence(own, small, model="small"))


@pytest.mark.parametrize(("long", "verdict"), [(0.5, "holds"), (0.9, "undecided"), (0.95, "does not hold")])
def test_long_and_arithmetic_suffer_first(long, verdict):
    kept = {"piqa": 0.9, "digits": 0.92, "gsm8k": long}
    record = similarity([point(kept, target) for target in (0.125, 0.25)])
    whole = cell("dense", [point(dict.fromkeys(kept, 1.0), 0.0, plan=[])])
    assert find("L10", evidence(whole, record), "gsm8k").verdict == verdict
    assert "neither arithmetic nor long" in reason("L10", evidence(whole, record), "piqa")


@pytest.mark.parametrize(
    ("fall", "verdict"), [(lambda s: 1.0 * (s < 0.6), "holds"), (lambda s: 1 - s, "does not hold")]
)
def test_knowledge_collapses_abruptly(fall, verdict):
    record = similarity([point({"mmlu": fall(target)}, target) for target in (0.25, 0.5, 0.75, 1.0)])
    whole = cell("dense", [point({"mmlu": 1.0}, 0.0, plan=[])])
    assert find("L11", evidence(whole, record), "mmlu").verdict == verdict
    assert "knowledge" in reason("L11", evidence(similarity(curve(fall))))


def test_what_needs_another_corpus_says_so():
    assert "calibration split" in reason("L3b", evidence())


def test_a_task_that_the_dense_model_cannot_do_is_not_tested():
    at_chance = cell("dense", [point(0.001, 0.0, plan=[])])
    known = evidence(at_chance, *(similarity(curve(lambda _: 1), what) for what in ("attention", "mlp", "block")))
    assert "not clear of chance" in reason("L1", known)
