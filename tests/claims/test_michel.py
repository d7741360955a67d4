"""Each of Michel et al.'s claims holds where it should, does not where it should not, and says when it cannot tell."""

from __future__ import annotations

import pytest
from constructed import Model, cell, curve, evidence, find, heads, nested, reason, timed

TAYLOR = {"absolute": "token", "normalise": True, "exact": False, "kinds": "all"}
UNITS = heads("encoder", "self", 4, 4)
CROSS = [*heads("encoder", "self", 2, 4), *heads("decoder", "self", 2, 4), *heads("decoder", "cross", 2, 4)]


def alone(**wrong: int):
    """A model in which silencing head ``l<layer>h<head>`` makes so many examples wrong."""
    return Model(UNITS, lambda gone: max((wrong.get(f"l{u.site.layer}h{u.index}", 0) for u in gone), default=0))


def test_most_heads_are_redundant_where_one_of_sixteen_matters():
    known = evidence(probe=alone(l0h0=200))
    assert find("M1a", known).verdict == find("M1b", known).verdict == "holds"
    assert find("M1b", known).figure.value == pytest.approx(1 / 16)


def test_most_heads_are_not_redundant_where_every_head_matters():
    known = evidence(probe=Model(UNITS, lambda gone: 100 if gone else 0))
    assert find("M1a", known).verdict == find("M1b", known).verdict == "does not hold"
    assert find("M1a", known).figure.value == pytest.approx(5)


def test_a_tenth_of_a_point_cannot_be_seen_with_few_examples():
    known = evidence(probe=Model(UNITS, lambda gone: 0, rows=[{"text": "a"}] * 100))
    assert "each counts 1.00 points" in reason("M1a", known)


def test_single_heads_need_the_model():
    assert all("measured on the model" in reason(id, evidence()) for id in ("M1a", "M1b", "M2a", "M4", "M5"))


@pytest.mark.parametrize(("sites_that_lose", "verdict"), [(1, "holds"), (3, "does not hold")])
def test_most_sites_need_one_head(sites_that_lose, verdict):
    """A site loses 10 points when more than one of its heads are silent."""
    model = Model(UNITS, lambda gone: 200 if any(u.site.layer < sites_that_lose for u in gone) else 0)
    found = find("M2a", evidence(probe=model))
    assert found.verdict == verdict and found.figure.value == pytest.approx(1 - sites_that_lose / 4)


@pytest.mark.parametrize(("last", "verdict"), [(1000, "holds"), (400, "does not hold")])
def test_last_cross_attention_needs_its_heads(last, verdict):
    def wrong(gone):
        site = str(next(iter(gone)).site) if gone else ""
        return {"decoder.cross.1": last, "encoder.self.0": 150}.get(site, 0)

    found = find("M2b", evidence(probe=Model(CROSS, wrong)))
    assert found.verdict == verdict and "decoder.cross.1 loses" in found.reason


def test_without_cross_attention_its_claims_cannot_be_tested():
    known = evidence(cell("michel_greedy", [], parameters=TAYLOR), probe=alone())
    assert reason("M2b", known) == reason("M4", known) == "The model has no cross-attention."


@pytest.mark.parametrize(("harmful_first", "verdict"), [(False, "holds"), (True, "does not hold")])
def test_taylor_against_single_ablation(harmful_first, verdict):
    """Pairs of heads stand in for one another: alone none matters, together they do. Taylor knows, or does not."""
    pairs = [UNITS[at : at + 2] for at in range(0, 16, 2)]
    model = Model(UNITS, lambda gone: 200 * sum(set(pair) <= gone for pair in pairs))
    one_of_each = [*(pair[0] for pair in pairs), *(pair[1] for pair in pairs)]
    order = UNITS if harmful_first else one_of_each
    taylor = cell("michel_greedy", nested([str(unit) for unit in order]), parameters=TAYLOR)
    found = find("M3a", evidence(taylor, probe=model))
    assert found.verdict == verdict and (found.figure.value > 0.2 or harmful_first)


@pytest.mark.parametrize(("taylor", "verdict"), [(0.9, "holds"), (0.7, "undecided"), (0.6, "does not hold")])
def test_taylor_against_random(taylor, verdict):
    chance = cell("random_heads", curve(lambda share: 0.7, seeds=5, spread=0.05), parameters={"remove": "head"})
    known = evidence(cell("michel_greedy", curve(lambda share: taylor), parameters=TAYLOR), chance)
    found = find("M3b", known)
    assert found.verdict == verdict and found.figure.value == pytest.approx(taylor - 0.7)
    assert found.figure.low < found.figure.value < found.figure.high


def test_two_random_draws_are_too_few():
    chance = cell("random_heads", curve(lambda share: 0.7, seeds=2), parameters={"remove": "head"})
    known = evidence(cell("michel_greedy", curve(lambda share: 0.9), parameters=TAYLOR), chance)
    assert "2 draws" in reason("M3b", known)


@pytest.mark.parametrize(("cross_loses", "verdict"), [(1500, "holds"), (1050, "undecided"), (500, "does not hold")])
def test_cross_attention_collapses(cross_loses, verdict):
    """Of 1900 examples that the dense model gets right."""
    model = Model(CROSS, lambda gone: cross_loses if any(u.site.kind == "cross" for u in gone) else 100)
    found = find("M4", evidence(cell("michel_greedy", [], parameters=TAYLOR), probe=model))
    assert found.verdict == verdict and "decoder.cross" in found.reason


@pytest.mark.parametrize(("shared", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_effects_correlate_across_domains(shared, verdict):
    """Long texts are at odd places: a head breaks as many short ones as long ones, or the fewer the more."""

    def wrong(gone):
        head = next(iter(gone)).index + 4 * next(iter(gone)).site.layer if gone else 0
        short, long = 10 * head, 10 * head if shared else 10 * (15 - head) * bool(gone)
        return [*range(0, 2 * short, 2), *range(1, 2 * long, 2)]

    found = find("M5", evidence(probe=Model(UNITS, wrong)))
    assert found.verdict == verdict and found.figure.value == pytest.approx(1 if shared else -1)


def test_images_have_no_length():
    assert "no length" in reason("M5", evidence(probe=Model(UNITS, lambda gone: 0, rows=[{"image": 0}] * 100)))


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ({1: 1.02, 16: 1.2}, "holds"),
        ({1: 1.1, 16: 1.2}, "undecided"),
        ({1: 1.02, 16: 1.105}, "undecided"),
        ({1: 1.3, 16: 1.35}, "does not hold"),
        ({1: 1.1, 16: 1.02}, "does not hold"),
    ],
)
def test_speed_depends_on_the_batch(ratios, verdict):
    taylor = cell("michel_greedy", curve(lambda share: 1), parameters=TAYLOR)
    assert find("M6", evidence(taylor, **timed("michel-greedy", ratios))).verdict == verdict


def test_speed_at_one_batch_says_nothing_about_batches():
    taylor = cell("michel_greedy", curve(lambda share: 1), parameters=TAYLOR)
    assert "at batch 8" in reason("M6", evidence(taylor, **timed("michel-greedy", {8: 1.2})))
