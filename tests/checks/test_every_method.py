"""Every file in ``methods/`` passes its checks, or names the failure that it expects. All of them: ``-m slow``."""

from __future__ import annotations

import pytest

from headroom.checks.listing import FAMILIES
from headroom.checks.verdicts import check_method
from headroom.config.located import read_yaml
from headroom.config.project import profiles, root
from headroom.config.registry import file_of, load_method, method_files

FILES = method_files()
ENTRIES = {
    f"{path.parent.name or 'quick'}-{name}": (name, parameters)
    for path in profiles()
    for name, parameters in read_yaml(root() / path).get("methods", {}).items()
}


def failures(results):
    return [f"{one.check}[{one.model}]: {one.reason}" for one in results if one.verdict == "fails"]


@pytest.mark.parametrize("family", ["bert", pytest.param("llama", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
def test_a_method_passes_its_checks(name, family):
    method = load_method(name, None, "methods")
    planted = method.track.value != "trained"  # a training for each point takes longer than all else
    assert not failures(check_method(method, FILES[name], families=[family], truth=planted))


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_a_profile_passes_its_checks_on_every_kind_of_model(entry):
    name, parameters = ENTRIES[entry]
    method = load_method(name, parameters, "methods")
    assert not failures(check_method(method, file_of(name, parameters, "methods"), name, FAMILIES))
