"""From what a reader can spare to a command, and the rules that the tables decide or do not."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from lxml import html as parser
from test_page import find, tree, words

from headroom.results.choosing import Wish, answers
from headroom.results.kinds import KINDS
from headroom.site import rules
from headroom.site.book import read_book
from headroom.site.budget import LOSSES, WANTS, offered
from headroom.site.ordering import Order


@pytest.fixture(scope="module")
def offers(results):
    return offered(read_book("quick", results))


@pytest.fixture(scope="module")
def cards(site) -> dict:
    """What the scripts fetch when another wish is chosen."""
    text = (site / "boards" / "budget.js").read_text(encoding="utf-8")
    return json.loads(re.search(r"detail: (.*) }\)\);", text)[1])


def test_the_front_page_opens_with_the_answer_for_a_decoder_and_its_command(site):
    page = tree(site)
    assert page.xpath("//main//section")[0].get("class") == "wishes", "nothing stands before it"
    place = page.get_element_by_id("wish")
    assert place.get("data-key") == "0.01 speed-1.2 decoder"
    (first, *_) = find(place, "article")
    assert "lm-pydocs" in words(first) and re.search(r"lost[0-9.]+ % \N{MINUS SIGN}?[0-9.]+ to [0-9.]+", words(first))
    assert words(find(first, "code")[0]).startswith("headroom prune --model DIR_OR_HUB_ID --method michel-greedy")
    assert find(first, "button")[0].get("data-copy") == find(first, "code")[0].get("id")


def test_every_wish_has_its_cards_and_they_are_those_of_the_terminal(cards, offers):
    assert len(cards["asked"]) == len(LOSSES) * len(WANTS) * 4
    shown = 0
    for loss in LOSSES:
        for want in WANTS:
            for kind in KINDS:
                numbers = cards["asked"][f"{loss:g} {want.name} {kind}"]
                replies = answers(offers, Wish(loss=loss, kind=kind, **{want.field: want.value}))
                best = [reply.best for reply in replies if reply.best]
                for number, answer in zip(numbers, best, strict=False):
                    assert answer.offer.title in words(parser.fromstring(cards["cards"][number]))
                    shown += 1
    assert shown >= 5
    assert len(set(cards["cards"])) == len(cards["cards"]), "each once"


def test_a_card_says_whether_it_is_certified_and_what_is_not_enough(cards):
    said = [words(parser.fromstring(card)) for card in cards["cards"]]
    for word in (
        "certified the intervals keep to both",
        "the most that keeps within the loss",
        "the least loss that buys",
    ):
        assert any(word in one for one in said), word


def test_without_scripts_the_common_answers_are_a_table(site):
    rows = find(tree(site), "table.common", "tbody", "tr")
    assert len(rows) == 4 * 3
    kinds = [words(find(row, "th")[0]) for row in rows]
    assert kinds[::3] == ["decoder", "translator", "encoder classifier", "ViT"]
    commands = [words(code) for row in rows for code in find(row, "code")]
    assert len(commands) >= 4 and all(command.startswith("headroom prune ") for command in commands)
    assert "Nothing measured answers this." in " ".join(map(words, rows)), "no memory was measured"


def test_three_rules_stand_under_it_with_their_rows(site):
    said = [words(one) for one in find(tree(site), "ul.rules", "li")]
    assert len(said) == 3
    assert said[0].startswith(
        "Try first, without fine-tuning. Layer similarity: clear of all others over all rows (mean"
    )
    assert "bert-pydocs, package: 0.90, place 1" in said[0]
    assert said[1].startswith(
        "Fine-tune. The tables do not decide: of the rows measured in both ways it saves quality beyond the intervals"
    )
    assert said[2].startswith(
        "Leave attention alone. On none of 4 models do other units buy more speed within 5 % loss"
    )


def steps(setting: str, task: str, kept: tuple[float, ...], half: float = 0.01) -> list[SimpleNamespace]:
    """The best method's measured steps, at the first shares that are judged."""
    fixed = {
        "model": "a",
        "task": task,
        "setting": setting,
        "group": "attention",
        "ranked": True,
        "stochastic": False,
        "natural": "",
    }
    return [
        SimpleNamespace(**fixed, share=share, retained=value, low=value - half, high=value + half)
        for share, value in zip(rules.GONE, kept, strict=False)
    ]


def test_fine_tuning_is_advised_from_the_share_at_which_it_helps_on_most_rows():
    bare = [one for task in ("t", "u") for one in steps("as is", task, (0.98, 0.70, 0.40))]
    tuned = [one for task in ("t", "u") for one in steps("recovered", task, (0.98, 0.90, 0.80))]
    said = rules.fine_tune(bare + tuned)
    assert said.says.startswith("With 50 % gone or more: of the rows measured in both ways it saves quality beyond")
    assert "on 0 of 2 with 25 % gone, on 2 of 2 with 50 % gone" in said.says
    assert said.rows == (("a", "t", "helps with 50 %, 75 % gone"), ("a", "u", "helps with 50 %, 75 % gone"))
    assert rules.fine_tune(bare).says.startswith("The tables do not decide: no model was measured both")
    wide = [SimpleNamespace(**{**vars(one), "low": 0.0, "high": 1.0}) for one in bare + tuned]
    assert rules.fine_tune(wide).says.startswith("The tables do not decide: of the rows")


def test_fine_tuning_that_leaves_less_than_the_best_as_is_is_said_to_hurt_and_nothing_between_steps_is_judged():
    said = rules.fine_tune([*steps("as is", "t", (0.98, 0.90)), *steps("recovered", "t", (0.80, 0.70))[1:]])
    assert said.rows == (("a", "t", "hurts with 50 % gone"),)
    assert "on 0 of 1 with 50 % gone (on 1 it costs more than it saves)" in said.says and "25 %" not in said.says


def order(*places: tuple[str, int]) -> Order:
    rows = [
        SimpleNamespace(
            **{"method": name, "title": name.upper(), "complete": True, "rank": rank},
            **{"area": 0.9, "area_low": 0.8, "area_high": 1.0, "wins": 9 - rank, "ties": 2, "losses": rank},
        )
        for name, rank in places
    ]
    return Order("as is", "attention", "Attention units", "heads", rows, {}, True, True)


def cost_row(method: str, cost: float) -> SimpleNamespace:
    row = {"model": "a", "task": "t", "setting": "as is", "group": "attention", "area": 0.9, "rank_all": 1}
    return SimpleNamespace(method=method, cost_seconds=cost, stochastic=method == "random", **row)


def test_what_to_try_first_is_the_cheapest_of_a_tie_and_nothing_where_random_ties():
    rows = [cost_row("dear", 90.0), cost_row("cheap", 2.0), cost_row("worse", 1.0)]
    said = rules.first([order(("dear", 1), ("cheap", 1), ("worse", 3))], rows)
    assert said.says.startswith("CHEAP: the cheapest of 2 that may be first over all rows")
    assert said.rows == (("a", "t", "0.90, place 1"),)
    tied = rules.first([order(("dear", 1), ("random", 1), ("worse", 3))], [*rows, cost_row("random", 0.0)])
    assert tied.says == (
        "The tables do not decide: 2 of 3 methods may be first over all rows, random ones among them. "
        "In duels won less lost DEAR leads (8 won, 2 open, 1 lost)."
    )
    chance = rules.first([order(("random", 1))], [cost_row("random", 0.0)])
    assert chance.says == "The tables do not decide: only random methods are ranked on every row."
    assert rules.first([], rows).says.startswith("The tables do not decide: no method")


def test_attention_is_left_alone_where_other_units_buy_more_or_none_can_go(offers):
    import dataclasses

    model = "vit-digits"
    bare = [offer for offer in offers if (offer.model, offer.setting) == (model, "as is")]
    lost = [dataclasses.replace(o, retained=0.5, low=0.5, high=0.5) if o.group == "attention" else o for o in bare]
    said = rules.leave_alone(lost, "task")
    assert said.says.startswith("On 1 of 1 models") and said.rows[0][2] == "no attention goes within 5 %"
    fast = [
        dataclasses.replace(
            o,
            retained=1.0,
            low=1.0,
            timings=tuple(dataclasses.replace(t, speedup=2.5, low=2.4, high=2.6) for t in o.timings),
        )
        if o.group == "other"
        else o
        for o in bare
    ]
    assert rules.leave_alone(fast, "task").rows[0][2].startswith("other units 2.00\N{MULTIPLICATION SIGN}, attention")
    assert rules.leave_alone([], "task").says.startswith("The tables do not decide")
