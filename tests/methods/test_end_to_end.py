"""Every method that trains nothing, through the pipeline: prepared toy model, plans, removal, score, record."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_file = Path(__file__).parents[1] / "pipeline" / "conftest.py"
_spec = importlib.util.spec_from_file_location("pipeline_worlds", _file)
_worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worlds)
prepared, shared = _worlds.prepared, _worlds.shared

ENTRIES = {
    "random-heads": "{}",
    "random-joint": "{method: random-heads, remove: joint}",
    "magnitude-heads": "{}",
    "magnitude-local": "{method: magnitude-heads, scope: site}",
    "michel-greedy": "{examples: 16}",
    "michel-exact": "{method: michel-greedy, exact: true, examples: 16}",
    "michel-encoder": "{method: michel-greedy, kinds: [encoder.self], examples: 16}",
    "attention-confidence": "{examples: 16}",
    "entropy-importance": "{examples: 16}",
    "wanda-head": "{examples: 16}",
    "flap-head": "{examples: 16}",
    "taylor-weight": "{}",
    "activation-heads": "{examples: 16}",
    "layer-similarity": "{examples: 16}",
    "layer-similarity-iterative": "{method: layer-similarity, iterative: true, remove: joint, examples: 16}",
    "gate-norm": "{}",
    "relative-magnitude": "{examples: 16}",
    "gromov-window": "{examples: 16}",
    "finercut": "{}",
    "greedy-loss-blocks": "{examples: 16}",
    "greedy-loss-attention": "{method: greedy-loss-blocks, remove: attention, first: 1, examples: 16}",
    "nose-posthoc": "{examples: 16}",
    "deepest-first": "{method: by-depth, order: deepest}",
    "shallowest-first": "{method: by-depth, order: shallowest}",
    "alternate": "{method: by-depth, order: alternate}",
    "painters-skip": "{}",
}


@pytest.fixture(scope="module")
def records(shared):
    """One run of all entries, as in a profile."""
    with shared() as world:
        for name, entry in ENTRIES.items():
            world.use(name, entry)
        yield world.measure()


@pytest.mark.parametrize("name", ENTRIES)
def test_a_method_gives_a_whole_record(records, name):
    record = records[name]
    assert record.status == "ok", record.reason
    assert {point.target for point in record.points} == {0.25, 0.5, 1.0}
    for point in record.points:
        assert abs(point.units_removed - point.target * point.units) < 1
        assert point.logit_difference < 1e-4, "masked and removed agree, on the method's own weights where it has some"
