"""`--method auto` takes from the leaderboards what suits the model and the budget, and says why."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from headroom.errors import UserError
from headroom.pruning import advising
from headroom.pruning.budgets import budget_of
from headroom.pruning.subject import Request
from headroom.results.asked import Entry
from headroom.results.offers import Offer

MADE = SimpleNamespace(profile="made", results=Path("nowhere"))
LIKE = {
    **{"task": "sst2", "setting": "as is", "quality": "task", "group": "g", "grains": "head", "natural": ""},
    **{"units": 0.5, "attention": 0.5, "cache": None, "tuned": 1.0, "seeds": 3, "stochastic": False, "ranked": True},
    **{"machine": "", "timings": (), "cost_seconds": 1.0, "cost_examples": 1.0, "cost_updates": 0.0},
}
FILES = {"one": "michel-greedy", "half": "michel-greedy", "blind": "magnitude-heads", "taught": "voita-l0"}
ENTRIES = {name: Entry(f"methods/{file.replace('-', '_')}.py", {}, None) for name, file in FILES.items()}
ENTRIES["half"] = Entry("methods/michel_greedy.py", {"examples": 64}, ("encoder.self",))


def offer(method, retained, low, share=0.5, model="bert", kind="encoder classifier", track="gradient", **more):
    words = {"model": model, "kind": kind, "method": method, "title": method, "track": track}
    figures = {"target": share, "share": share, "parameters": share / 4, "retained": retained, "low": low, "high": 1.1}
    return Offer(**LIKE | words | figures | more)


OFFERS = [
    offer("one", 0.93, 0.90),
    offer("half", 0.97, 0.96),
    offer("blind", 0.99, 0.97, share=0.25),
    offer("blind", 0.60, 0.50),
    offer("taught", 1.0, 1.0, track="trained"),
    offer("lucky", 1.0, 1.0, stochastic=True),
    offer("other", 1.0, 1.0, kind="ViT"),
]


@pytest.fixture
def advised(monkeypatch):
    def ask(offers=OFFERS, task="sst2", purpose="classification", parameters=(), **budget):
        monkeypatch.setattr(advising, "measured", lambda: [(MADE, offers, ENTRIES)])
        words = (None, None, list(parameters), 0, 1, False)
        request = Request("m", "auto", None, Path("out"), task, *words, budget=budget_of(**budget))
        return advising.advised(request, purpose)

    return ask


def test_the_two_that_let_most_go_within_the_loss_are_tried(advised):
    advice = advised(loss="5%")
    assert [(one.method, one.parameters) for one in advice.requests] == [
        ("michel-greedy", ["examples=64", 'kinds=["encoder.self"]']),
        ("magnitude-heads", []),
    ]
    assert "on bert, the encoder classifier models of profile made, the best are half (12.5% of the parameters" in (
        advice.why
    )
    assert "certified on 1 of 1" in advice.why


def test_without_a_loss_the_two_that_keep_most(advised):
    advice = advised(target=0.5)
    assert [one.method for one in advice.requests] == ["michel-greedy", "michel-greedy"]
    assert "half (keeps 97.0% of the quality" in advice.why


def test_without_examples_only_methods_that_read_none(advised):
    assert [one.method for one in advised(task=None, target=0.5).requests] == ["magnitude-heads"]


def test_what_the_user_sets_goes_before_what_was_measured(advised):
    assert advised(target=0.5, parameters=["examples=8"]).requests[0].parameters == [
        'kinds=["encoder.self"]',
        "examples=8",
    ]


def test_a_kind_that_nobody_measured_is_said(advised):
    with pytest.raises(UserError, match="no profile of the project has measured a translator"):
        advised(purpose="translation", target=0.5)
