"""Voita et al.'s claims on made-up sweeps over lambda."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from constructed import cell, evidence, find, heads, point, reason

import headroom.claims.roles
from headroom.claims.roles import Roles

ENCODER, DECODER, CROSS = (
    heads(*kind, 2, 4) for kind in (("encoder", "self"), ("decoder", "self"), ("decoder", "cross"))
)
UNDECIDED = "of the gates were undecided, strictly between 0.05 and 0.95"
EVERYONE = [*ENCODER, *DECODER, *CROSS]


def sweep(*gone, note: str = f"3% {UNDECIDED}", everyone=EVERYONE, probe=None, weights=""):
    """One point per removed set, and the floor."""
    points = []
    for place, units in enumerate([*gone, everyone]):
        natural = "floor" if units is everyone else f"lambda={place}"
        plan, share = [str(unit) for unit in units], len(units) / len(everyone)
        points.append(
            point(
                1 - share,
                share,
                len(everyone),
                plan=plan,
                natural=natural,
                note=note,
                setting="recovered",
                weights=weights,
            )
        )
    parameters = {"points": "lambda", "where": "all"}
    return evidence(cell("voita_l0", points, parameters=parameters, track="trained", natural=True), probe=probe)


@pytest.mark.parametrize(
    ("gone", "verdict"),
    [([*ENCODER[:6], *DECODER[:3]], "holds"), ([*CROSS[:6], *DECODER[:3]], "does not hold")],
    ids=["encoder first", "cross first"],
)
def test_encoder_goes_first_and_cross_last(gone, verdict):
    assert find("V2", sweep(gone)).verdict == verdict


@pytest.mark.parametrize(("upside_down", "verdict"), [(False, "holds"), (True, "does not hold")])
def test_cross_survives_higher(upside_down, verdict):
    gone = [*CROSS[4:], *DECODER[:4]] if upside_down else [*CROSS[:4], *DECODER[4:]]
    found = find("V3", sweep(gone))
    assert found.verdict == verdict and abs(found.figure.value) == 1


def test_kinds_need_an_encoder_decoder():
    alone = sweep(ENCODER[:3], everyone=ENCODER)
    assert reason("V2", alone) == reason("V3", alone) == "The model has no cross-attention."


def test_a_decoder_that_looks_back_by_a_recurrence_is_not_ranked_among_the_kinds():
    recurrent = sweep([*ENCODER[:6], *CROSS[:3]], everyone=[*ENCODER, *CROSS])
    assert reason("V2", recurrent) == "The decoder has no heads that look at its own words."
    assert reason("V3", recurrent) == "No point of the sweep keeps heads of both kinds."


def test_a_sweep_that_removes_all_or_nothing_says_nothing():
    assert "removes some heads and keeps some" in reason("V2", sweep([]))


@pytest.mark.parametrize(("share", "verdict"), [("3%", "holds"), ("40%", "does not hold")])
def test_gates_decide(share, verdict):
    found = find("V6", sweep(ENCODER, note=f"{share} {UNDECIDED}"))
    assert found.verdict == verdict and found.figure.value == pytest.approx(float(share[:-1]) / 100)


def test_gates_that_tell_nothing_cannot_be_judged():
    assert "undecided" in reason("V6", sweep(ENCODER, note=""))
    assert "voita_l0" in reason("V6", evidence())


def roles(special: int, twice: int = 0) -> Roles:
    """40 sentences of 10 tokens in which the first heads look at the word before, some of them at the rarest too."""
    before, rarest = np.zeros((40, len(ENCODER))), np.zeros((40, len(ENCODER)))
    before[:, :special], rarest[:, :twice] = 10, 1
    none = {"found": np.zeros((40, len(ENCODER), 4)), "pairs": np.zeros((40, 4)), "offset": np.ones(4)}
    return Roles(ENCODER, before, np.zeros_like(before), np.full(40, 10), rarest, **none)


class Sites:
    """A probe as far as claims about roles ask it."""

    sites: ClassVar = {
        site: [unit for unit in ENCODER if unit.site == site] for site in {unit.site for unit in ENCODER}
    }


@pytest.mark.parametrize(("specialised_stay", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_specialised_heads_stay(specialised_stay, verdict, monkeypatch):
    monkeypatch.setattr(headroom.claims.roles, "roles", lambda probe: roles(2))
    found = find("V1", sweep(ENCODER[3:] if specialised_stay else ENCODER[:5], probe=Sites()))
    assert found.verdict == verdict and "2 of 8 heads have a role" in found.reason


def test_without_any_role_there_is_nothing_to_keep(monkeypatch):
    monkeypatch.setattr(headroom.claims.roles, "roles", lambda probe: roles(0))
    assert "No head" in reason("V1", sweep(ENCODER[3:], probe=Sites()))


@pytest.mark.parametrize(("taken_over", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_roles_drift(taken_over, verdict, monkeypatch, tmp_path):
    """The dense model has one head with two roles; the fine-tuned one has two or none."""
    monkeypatch.setattr(
        headroom.claims.roles, "roles", lambda _, gone=(), __="": roles(3, (2 * taken_over) if gone else 1)
    )
    (tmp_path / "tuned.safetensors").write_text("")
    found = find("V4", sweep(ENCODER[3:], probe=Sites(), weights=str(tmp_path / "tuned.safetensors")))
    assert found.verdict == verdict and found.figure.value == pytest.approx((2 / 3 if taken_over else 0) - 1 / 8)


def test_without_the_fine_tuned_weights_roles_cannot_be_followed():
    assert "weights of the sweep" in reason("V4", sweep(ENCODER[3:], probe=Sites()))


def test_what_no_method_here_does_is_said():
    assert "from scratch" in reason("V5", evidence())
