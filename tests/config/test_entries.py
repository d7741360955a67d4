"""What an entry of ``params.yaml: methods`` may say beside the method's own parameters: its file, and its sites."""

from __future__ import annotations

import pytest

from headroom.config.params import load
from headroom.config.project import root
from headroom.config.registry import display_title, load_method, method_class
from headroom.errors import UserError


@pytest.fixture
def profile(tmp_path):
    """The smoke profile with lines added under ``methods``, and another ``run.kinds``."""

    def changed(entries="", kinds=""):
        text = (root() / "profiles/smoke/params.yaml").read_text(encoding="utf-8")
        text = text.replace("  dense: {}\n", f"  dense: {{}}\n{entries}").replace("run:\n", f"run:\n{kinds}")
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "params.yaml")

    return changed


def said(call, *given):
    with pytest.raises(UserError) as error:
        call(*given)
    return str(error.value)


ENCODER = "  michel-encoder: {method: michel-greedy, kinds: [encoder.self]}\n"


def test_the_kinds_of_an_entry_come_before_those_of_the_profile(profile):
    everywhere, cross = profile(ENCODER), profile(ENCODER, "  kinds: [decoder.cross, decoder.self]\n")
    assert (everywhere.kinds("michel-encoder"), everywhere.kinds("dense")) == (("encoder.self",), None)
    assert cross.kinds("michel-encoder") == ("encoder.self",)
    assert cross.kinds("dense") == ("decoder.cross", "decoder.self")


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("[encoder.sefl]", "'encoder.sefl' is no kind of site. Did you mean 'encoder.self'? Allowed: decoder.block"),
        ("[encoder.cross]", "'encoder.cross' is no kind of site."),
        ("encoder.self", "wanted a list of kinds of sites, such as [encoder.self]."),
        ("[]", "wanted a list of kinds of sites, such as [encoder.self]."),
        ("", "wanted a list of kinds of sites, such as [encoder.self]."),
    ],
)
def test_an_unknown_kind_is_named_with_its_place_and_what_is_allowed(profile, given, answer):
    of_entry = said(profile, f"  mine: {{method: michel-greedy, kinds: {given}}}\n")
    assert "params.yaml: methods.mine.kinds is " in of_entry and answer in of_entry
    if given:
        of_profile = said(profile, "", f"  kinds: {given}\n")
        assert "params.yaml: run.kinds is " in of_profile and answer in of_profile
        assert not of_profile.endswith("..")


def test_kinds_are_no_parameter_and_stand_in_the_title():
    entry = {"method": "michel-greedy", "absolute": "example", "kinds": ["encoder.self", "decoder.self"]}
    found = load_method("mine", entry, "test")
    assert found.params == type(found).Params(absolute="example")
    assert display_title(found, entry) == "Michel et al., example, encoder.self, decoder.self"
    assert display_title(found, {}) == "Michel et al."


def test_a_method_is_loaded_with_known_kinds_only():
    answer = said(load_method, "michel-greedy", {"kinds": ["decoder.crss"]}, "--set")
    assert answer.startswith("--set.kinds is ['decoder.crss']; 'decoder.crss' is no kind") and "decoder.cross" in answer


@pytest.mark.parametrize(("key", "value"), [("examples", -4), ("batch_size", 0)])
def test_nothing_is_counted_below_one(key, value):
    assert (
        said(load_method, "michel-greedy", {key: value}, "methods.mine")
        == f"methods.mine.{key} is {value}; wanted 1 or more."
    )


@pytest.mark.parametrize("name", ["kinds", "method"])
def test_a_parameter_cannot_have_the_name_of_a_key_of_the_harness(name, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom headroom.api import Method\n\n\nclass Mine(Method):\n"
        f"    name = 'mine'\n\n    @dataclass(frozen=True)\n    class Params:\n        {name}: str = 'all'\n"
    )
    assert f"Params has {name!r}" in said(method_class, file)
