"""Figures are flat and named, are compared in units of the calibration kernel, and hold what the issue lists."""

import json

import pytest
import typer

from benchmarks import __main__ as command
from benchmarks.figures import CALIBRATION, Figure, change

LISTED = {
    "bert_half_heads_speedup",
    "llama_half_attention_prefill_speedup",
    "llama_half_attention_decode_speedup",
    "gated_over_dense_speed",
    "scoring_over_forward",
    "removal_ms",
    "noop_repro_s",
    "stage_start_s",
    "site_build_s",
}


def figure(value, unit="ms", better="lower", aim=None):
    return Figure("one", value, unit, better, aim)


def test_a_machine_half_as_fast_changes_no_comparison():
    assert change(figure(20.0), 10.0, calibration=4.0, calibration_before=2.0) == 1.0
    assert change(figure(5.0, "1/s", "higher"), 10.0, calibration=4.0, calibration_before=2.0) == 1.0


def test_above_one_is_better_whichever_way_a_figure_points():
    assert change(figure(5.0), 10.0, 1.0, 1.0) == 2.0
    assert change(figure(1.2, "ratio", "higher"), 1.0, 9.0, 1.0) == pytest.approx(1.2), "a ratio needs no calibration"
    assert change(figure(2.5, "ratio", "lower"), 2.0, 9.0, 1.0) == pytest.approx(0.8)


@pytest.mark.parametrize(("value", "better", "met"), [(29.0, "lower", True), (31.0, "lower", False)])
def test_aims_are_met_or_missed(value, better, met):
    assert figure(value, better=better, aim=30).meets() is met
    assert figure(1.2, "ratio", "higher", 1.19).meets() and not figure(1.1, "ratio", "higher", 1.19).meets()
    assert figure(value).meets() is None


def test_the_file_is_flat_named_and_sorted_and_a_part_is_not_kept_beside_another_moment_s(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(command, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(command, "calibration", lambda: Figure(CALIBRATION, 2.0, "ms", "lower"))
    two = Figure("two", 2, "s", "lower")
    monkeypatch.setattr(command, "parts", lambda: {"a": lambda: [figure(1.23456)], "b": lambda: [two]})
    command.main(only=None, rebase=True)
    monkeypatch.setattr(command, "calibration", lambda: Figure(CALIBRATION, 3.0, "ms", "lower"))
    command.main(only=["b"], rebase=False)
    with pytest.raises(typer.BadParameter, match="of all parts"):
        command.main(only=["b"], rebase=True)
    latest = json.loads((tmp_path / "latest.json").read_text())
    assert latest == {CALIBRATION: 2.0, "one": 1.235, "two": 2.0}
    assert latest == json.loads((tmp_path / "baseline.json").read_text())
    assert list(latest) == sorted(latest)


def test_a_worse_figure_is_marked():
    now = Figure(CALIBRATION, 1.0, "ms", "lower")
    before = {"one": 10.0, CALIBRATION: 1.0}
    assert command.compared(figure(10.0), now, before) == "1.00"
    assert command.compared(figure(20.0), now, before) == "0.50 worse"
    assert command.compared(figure(20.0), now, {}) == ""


@pytest.mark.skipif(not command.BASELINE.is_file(), reason="no baseline yet: python -m benchmarks --rebase")
def test_every_figure_that_was_asked_for_is_in_the_committed_baseline():
    assert set(json.loads(command.BASELINE.read_text(encoding="utf-8"))) >= LISTED | {CALIBRATION}
