"""What claims look methods up by is what the files offer: a renamed parameter would leave a claim untestable."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
from constructed import cell, curve, evidence

from headroom.claims import layer_drop, michel, others, pillars
from headroom.config.registry import method_class, method_files

LOOKED_UP = {
    "michel-greedy": michel.TAYLOR,
    "layer-similarity": {**layer_drop.ONE_SHOT, "remove": "joint"},
    "by-depth": {"order": "deepest", "remove": "attention"},
    "random-heads": {"remove": "attention"},
    "finercut": {"remove": "joint"},
    "voita-l0": {"points": "lambda"},
    "voting-to-stay": {**pillars.WHOLE, "training": "scratch", "alpha": 0.5, "beta": 0.5},
    "nose-posthoc": {},
    "painters-skip": {},
    **{stem.replace("_", "-"): {} for stem in others.SCORED if stem != "michel_greedy"},
}


@pytest.mark.parametrize("name", LOOKED_UP)
def test_methods_have_the_parameters_that_claims_ask_for(name):
    kind = method_class(method_files()[name])
    hints, asked = get_type_hints(kind.Params), {key: value for key, value in LOOKED_UP[name].items() if key != "kinds"}
    assert set(asked) <= {field.name for field in fields(kind.Params)}  # kinds are the entry's, of whatever method
    assert all(value in (get_args(hints[key]) or (value,)) for key, value in asked.items())


@pytest.mark.parametrize(
    ("parameters", "everywhere"),
    [({}, True), ({"kinds": "all"}, True), ({"kinds": ["encoder.self"]}, False), ({"where": "encoder"}, False)],
)
def test_a_method_held_to_some_kinds_of_attention_is_not_taken_for_the_whole_one(parameters, everywhere):
    known = evidence(cell("voita_l0", curve(lambda _: 1), parameters={"points": "lambda", **parameters}))
    assert bool(known.every("voita_l0", points="lambda", kinds="all")) is everywhere


def test_voita_says_how_many_gates_were_undecided():
    assert "of the gates were undecided" in method_files()["voita-l0"].read_text()


def test_groups_are_named_as_the_claims_read_them():
    assert 'f"{groups} group{' in method_files()["voting-to-stay"].read_text()
