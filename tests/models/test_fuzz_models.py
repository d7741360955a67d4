"""Whatever is wrong with a folder, a task or a params file: a sentence that names a file or key, or it is of use."""

from __future__ import annotations

import pytest
from fuzzing import CASES, Count, fuzz

FEW = {"model": 24, "task": 12, "params": 6}
MANY = {"model": 1400, "task": 400, "params": 400}


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """Cases of a kind, in this process: methods are loaded in others, and their files are whole."""
    monkeypatch.setattr("headroom.pipeline.preflight.check_methods", lambda *_: None)
    monkeypatch.setattr("headroom.pipeline.preflight.check_apart", lambda *_: None)
    for measuring in ("writing.reported", "writing.card_of", "prune.told"):
        monkeypatch.setattr(f"headroom.pruning.{measuring}", lambda *_: "")
    monkeypatch.setenv("HEADROOM_DATA", str(tmp_path / "case"))
    monkeypatch.setenv("HEADROOM_CACHE", str(tmp_path / "cache"))
    return lambda kind, seeds: fuzz(kind, seeds, tmp_path)


@pytest.mark.parametrize("kind", CASES)
def test_a_few_spoilt_files_are_refused_in_a_sentence_or_of_use(spoilt, kind):
    held(spoilt(kind, range(FEW[kind])), FEW[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_many_spoilt_files_are_refused_in_a_sentence_or_of_use(spoilt, kind):
    count = held(spoilt(kind, range(1000, 1000 + MANY[kind])), MANY[kind])
    assert count.refused > count.accepted > 0


def held(count: Count, asked: int) -> Count:
    assert not count.broken, "\n".join(count.broken)
    assert count.all == asked
    return count
