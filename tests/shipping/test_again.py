"""The other process: it has no Headroom, says what it found, and a loader that fails is unchecked, with the reason."""

from __future__ import annotations

import json
import subprocess

import pytest

from headroom import attention
from headroom.api import Unit
from headroom.shipping import Loaded, probing, ship
from headroom.shipping.again import _answer, load_again


@pytest.mark.slow
def test_a_process_without_headroom_gives_the_same_numbers_or_says_why_not(tmp_path):
    model = attention.without(attention.toy("llama"), [Unit.parse("head:decoder.self.1.0")])
    shipped = ship(model, tmp_path / "small")
    assert shipped.kind == "code" and shipped.loaded[0].equal and shipped.loaded[0].same_words
    probing.write(attention.toy("llama"), tmp_path / "whole.safetensors")
    other = load_again(
        tmp_path / "small", "AutoModelForCausalLM", tmp_path / "whole.safetensors", trust_remote_code=True
    )
    assert other.difference and other.difference > 0.01, "the comparison can fail"
    assert "`pip install headroom`" in needing_headroom(tmp_path / "small", tmp_path / "whole.safetensors")


def needing_headroom(folder, probe):
    code = folder / "modeling_pruned.py"
    code.write_text(code.read_text() + "\nimport headroom\n")
    return load_again(folder, "AutoModelForCausalLM", probe, trust_remote_code=True).why


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (json.dumps({"difference": 0.0, "words": True}), "largest logit difference 0, the same words"),
        (json.dumps({"difference": 0.25, "words": False}), "largest logit difference 0.25, other words"),
        (json.dumps({"error": "OSError: no such file"}), "unchecked (OSError: no such file)"),
        ("", "unchecked (its process ended with 1: killed)"),
    ],
)
def test_what_the_process_printed_is_one_sentence(printed, says):
    found = _answer("theirs", subprocess.CompletedProcess([], 1, f"noise\n{printed}", "killed"))
    assert str(found) == f"theirs: {says}"


def test_only_the_same_numbers_and_words_are_equal():
    assert Loaded("theirs", 0.0).equal and Loaded("theirs", 0.0, True).equal
    assert not Loaded("theirs", 0.0, False).equal and not Loaded("theirs", 1e-9).equal and not Loaded("theirs").equal
    assert not Loaded("theirs", float("nan")).equal
