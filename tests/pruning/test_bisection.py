"""A budget in words becomes limits, and bisection finds the step that a look at every step would find."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import pytest

from headroom.api import Unit
from headroom.errors import UserError
from headroom.pruning.attempts import nearest
from headroom.pruning.budgets import Budget, budget_of
from headroom.pruning.judging import lost
from headroom.pruning.planning import Step
from headroom.pruning.searching import Found, largest, search, smallest
from headroom.pruning.trials import Trial


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"loss": "1%"}, {"loss": 0.01}),
        ({"loss": "0"}, {"loss": 0.0}),
        ({"speed": "1.2x"}, {"speed": 1.2}),
        ({"parameters": "1.5B"}, {"parameters": 1.5e9}),
        ({"parameters": "100m", "memory": "2GB"}, {"parameters": 1e8, "memory": 2e9}),
        ({"memory": "2GiB"}, {"memory": 2 * 1024.0**3}),
        ({"kv": "8KB/token", "confidence": "90%"}, {"kv": 8000.0, "confidence": 0.9}),
    ],
)
def test_words_become_limits(options, limits):
    assert budget_of(**options) == Budget(**limits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "how small the model has to be is not said. Give one or more of --max-loss 1%"),
        ({"loss": "2"}, "--max-loss is '2'; the quality that may be lost is a share such as 10%"),
        ({"speed": "0.9"}, "--min-speed is '0.9'; a speed is told in times the dense model's"),
        ({"parameters": "many"}, "--max-parameters is 'many'; wanted an amount above 0 such as 100M"),
        ({"memory": "2GM"}, "--max-memory is '2GM'; wanted an amount above 0 such as 2GB"),
        ({"kv": "0"}, "--max-kv is '0'; wanted an amount above 0 such as 8KB/token"),
        ({"loss": "1%", "confidence": "99.99%"}, "--confidence is '99.99%'; wanted 50% to 99.9%"),
        ({"target": 1.5}, "--target is 1.5; a target is the share of units"),
    ],
)
def test_a_wrong_unit_is_answered_with_the_right_one(options, message):
    with pytest.raises(UserError) as error:
        budget_of(**options)
    assert message in str(error.value)


class Steps:
    """Steps that are small, fast and good from or up to a place; counts how often quality is asked."""

    def __init__(self, small: int, fast: int, good: int) -> None:
        self.limits, self.asked = (small, fast, good), set[int]()

    def small(self, step: int) -> bool:
        return step >= self.limits[0]

    def fast(self, step: int) -> bool:
        return step >= self.limits[1]

    def keeps(self, step: int) -> bool:
        self.asked.add(step)
        return step < self.limits[2]


@pytest.mark.parametrize(("small", "fast"), product([False, True], repeat=2))
def test_bisection_finds_what_looking_at_every_step_finds(small, fast):
    for places in product(range(9), repeat=3):
        steps = Steps(*places)
        found = search(8, steps, small, fast, keeps=True)
        every = [s for s in range(8) if (not small or steps.small(s)) and (not fast or steps.fast(s))]
        good = [step for step in every if step < places[2]]
        wanted = (good[0] if small or fast else good[-1]) if good else None
        assert found.best == wanted, places
        if found.best is None:
            assert found.beyond == (every[0] if every and (small or fast) else None), places


def test_forty_steps_take_six_evaluations():
    for good in range(41):
        steps = Steps(0, 0, good)
        assert search(40, steps, small=False, fast=False, keeps=True).best == (good - 1 if good else None)
        assert len(steps.asked) <= 6


def test_without_a_loss_the_first_step_that_buys_enough_is_taken():
    assert search(8, Steps(3, 5, 0), small=True, fast=True, keeps=False) == Found(5, 5, 5)


def test_there_may_be_no_step():
    assert smallest(0, 4, lambda _: False) is None and largest(0, 4, lambda _: False) is None


def test_of_steps_that_all_lose_too_much_the_one_that_loses_least_is_said_to_be_nearest():
    kept = {0: 0.93, 5: 0.8, 11: 0.4}  # bisection asked the largest first
    trials = {
        place: Trial(Step(frozenset({Unit.parse(f"head:encoder.self.0.{place}")}), 2), score=score(kept[place]))
        for place in (11, 5, 0)
    }
    judge = SimpleNamespace(trials=trials, lacks=lambda trial: [lost(trial)])
    assert nearest(judge, Found()).endswith("loses 5.0% of the quality, 7.0% at most.")


def score(low):
    return SimpleNamespace(retained=low + 0.02, retained_low=low)
