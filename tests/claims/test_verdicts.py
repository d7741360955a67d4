"""One place decides whether a prediction holds, does not, or stands on an interval that cannot tell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from constructed import curve, evidence, find, score
from test_layer_drop import similarity

import headroom.claims
from headroom.claims.estimate import Estimate
from headroom.claims.finding import Finding, above, all_of, at_least, at_most, below
from headroom.claims.stage import claims, row
from headroom.terminal.claims import STYLES, counts, verdicts

ABOVE, ON, BELOW = Estimate(0.8, 0.7, 0.9), Estimate(0.6, 0.4, 0.7), Estimate(0.2, 0.1, 0.3)
WHOLE = ("holds", "undecided", "does not hold")


@pytest.mark.parametrize(
    ("compare", "found"), [(above, WHOLE), (at_least, WHOLE), (below, WHOLE[::-1]), (at_most, WHOLE[::-1])]
)
def test_an_interval_decides_only_where_the_threshold_is_outside(compare, found):
    assert tuple(compare(figure, 0.5).verdict for figure in (ABOVE, ON, BELOW)) == found


@pytest.mark.parametrize("compare", [above, at_least, below, at_most])
def test_a_threshold_on_the_end_of_the_interval_is_inside(compare):
    assert compare(Estimate(0.6, 0.5, 0.7), 0.5).verdict == compare(Estimate(0.4, 0.3, 0.5), 0.5).verdict == "undecided"


@pytest.mark.parametrize("figure", [Estimate(0.5), Estimate(0.5, 0.5, 0.5)], ids=["no interval", "a point"])
def test_without_an_interval_the_figure_decides(figure):
    found = [compare(figure, 0.5).verdict for compare in (at_least, at_most, above, below)]
    assert found == ["holds", "holds", "does not hold", "does not hold"]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (("holds", "holds"), "holds"),
        (("holds", "undecided"), "undecided"),
        (("undecided", "does not hold"), "does not hold"),
        (("does not hold", "holds"), "does not hold"),
    ],
)
def test_of_several_parts_one_that_fails_settles_it_and_one_that_is_open_leaves_it_open(parts, whole):
    found = all_of(ON, [Finding(part, ON) for part in parts], "Why.")
    assert (found.verdict, found.figure, found.reason) == (whole, ON, "Why.")


def test_no_claim_words_its_own_verdict():
    made = {
        path.name
        for path in Path(headroom.claims.__path__[0]).glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == "Finding"
    }
    assert made == {"finding.py"}


def test_the_figure_is_told_with_its_interval_where_there_is_one():
    assert f"{ABOVE:.0%} {Estimate(0.5):.1f} {Estimate(1, 1, 1):.0%}" == "80% [70%, 90%] 0.5 100%"


def undecided():
    """The row of a claim whose records leave it open."""
    again = similarity(curve(lambda _: 0.91), iterative=True)
    known = evidence(similarity(curve(lambda _: 0.9)), again)
    return row(next(one for one in claims() if one.id == "L6"), known, "digits")


def test_undecided_reaches_the_table_the_terminal_and_its_counts():
    one = undecided()
    assert one.verdict == "undecided" and one.low < 1 < one.high and one.reason == ""
    shown = list(verdicts([one], reasons=False).lines(80))
    assert [line.split() for line, style in shown if style == "yellow"] == [
        ["toy", "digits", "undecided", "1", f"[{one.low:.3g},", f"{one.high:.3g}]"]
    ]
    heading, numbers = [line for line, _ in counts([one]).lines(80)][1:3]
    assert heading.split() == ["model", *" ".join(STYLES).split()] and numbers.split() == ["toy", "0", "0", "1", "0"]


def test_a_wider_interval_opens_what_a_narrow_one_decides():
    """The same figure, scored on so few examples that three points more or less are noise."""
    wide = similarity(curve(lambda _: 0.98))
    for point in wide.points:
        point.tasks["digits"] = score(0.98, half=0.09)
    narrow, once = similarity(curve(lambda _: 0.98), iterative=True), similarity(curve(lambda _: 0.94))
    assert find("L6", evidence(once, narrow)).verdict == "does not hold"
    assert find("L6", evidence(once, narrow.model_copy(update={"points": wide.points}))).verdict == "undecided"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_says_a_prediction_once_and_cuts_no_name(width):
    one = undecided()
    rows = [one, one.model_copy(update={"model": "a-model-of-a-long-name", "task": "a-task-of-a-long-name"})]
    lines = [line for line, _ in verdicts(rows, reasons=False).lines(width)]
    assert max(map(len, lines)) <= width and " ".join(" ".join(lines).split()).count(one.prediction) == 1
    assert any("a-model-of-a-long-name" in line for line in lines) and any(
        "a-task-of-a-long-name" in line for line in lines
    )
