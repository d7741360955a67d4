"""From a budget to a method: what is certified, what is as measured, and what comes nearest where nothing will do."""

from __future__ import annotations

import shlex
from dataclasses import replace

import fixtures
import pytest

from headroom.attention.families import FAMILIES as FOUND
from headroom.errors import UserError
from headroom.results.asked import Entry
from headroom.results.choosing import Wish, answers
from headroom.results.kinds import FAMILIES, KINDS, kind_of, known_kind
from headroom.results.load import load
from headroom.results.offers import Offer, Timing, offers
from headroom.results.recipes import command, then, why_none
from headroom.results.write import read_table

PREFILL = Timing("prefill", 8, 128, "float32", 1.3, 1.25, 1.35, None)
DECODE = Timing("decode", 8, 128, "float32", 1.1, 1.05, 1.15, None)
OFFER = Offer(
    model="m",
    kind="decoder",
    task="t",
    setting="as is",
    quality="task",
    group="attention",
    method="a",
    title="A",
    track="forward",
    grains="head",
    target=0.25,
    natural="",
    share=0.25,
    units=0.25,
    attention=0.25,
    parameters=0.1,
    cache=0.25,
    retained=0.999,
    low=0.995,
    high=1.0,
    tuned=1.0,
    seeds=1,
    stochastic=False,
    ranked=True,
    machine="cpu",
    timings=(PREFILL, DECODE),
    cost_seconds=1.0,
    cost_examples=64.0,
    cost_updates=0.0,
)


def step(share: float, kept: float, half: float = 0.001, speed: Timing = PREFILL, **changes) -> Offer:
    sizes = {"target": share, "share": share, "units": share, "attention": share, "parameters": share / 3}
    ends = {"retained": kept, "low": kept - half, "high": kept + half}
    return replace(OFFER, **{**sizes, **ends, "timings": (speed,), **changes})


def only(found: list[Offer], wish: Wish):
    (reply,) = answers(found, wish)
    return reply


def test_an_answer_is_certified_when_the_lower_ends_of_quality_and_of_speed_are():
    best = only([OFFER], Wish(0.01, speed=1.2, work="prefill")).best
    assert (best.offer, best.timing, best.sure, best.gain) == (OFFER, PREFILL, "certified", 1.3)


@pytest.mark.parametrize(
    ("changes", "keeps", "buys"),
    [
        ({"low": 0.98}, "measured", "certified"),
        ({"timings": (replace(PREFILL, low=1.1),)}, "certified", "measured"),
        ({"low": 0.98, "timings": (replace(PREFILL, low=1.1),)}, "measured", "measured"),
    ],
)
def test_one_that_an_interval_does_not_certify_is_as_measured(changes, keeps, buys):
    best = only([replace(OFFER, **changes)], Wish(0.01, speed=1.2, work="prefill")).best
    assert (best.keeps, best.buys, best.sure) == (keeps, buys, "measured")


def test_prefill_and_decode_are_answered_apart():
    replies = {reply.work: reply for reply in answers([OFFER], Wish(0.01, speed=1.2))}
    assert replies["prefill"].sure == "certified" and replies["decode"].best is None
    assert replies["decode"].within.timing == DECODE


def test_a_step_counts_only_where_all_smaller_ones_of_its_curve_keep_as_much():
    reply = only([step(0.25, 0.9), step(0.5, 1.0)], Wish(0.01, parameters=0.1))
    assert reply.best is None and reply.within is None and reply.beyond.offer.share == 0.5


def test_where_nothing_will_do_the_nearest_on_either_side_is_named():
    slow = replace(PREFILL, speedup=1.1, low=1.05)
    reply = only([step(0.25, 0.999, speed=slow), step(0.5, 0.95)], Wish(0.01, speed=1.2))
    assert reply.best is None
    assert (reply.within.offer.share, reply.within.gain) == (0.25, 1.1)
    assert (reply.beyond.offer.share, reply.beyond.keeps) == (0.5, "")
    assert reply.most is None


def test_where_nothing_comes_near_on_either_side_what_buys_the_most_is_named():
    slow = replace(PREFILL, speedup=1.1, low=1.05)
    reply = only(
        [step(0.25, 0.8, speed=slow), step(0.5, 0.5, speed=replace(slow, speedup=1.15))], Wish(0.01, speed=1.2)
    )
    assert (reply.best, reply.within, reply.beyond) == (None, None, None)
    assert (reply.most.offer.share, reply.most.gain) == (0.5, 1.15)


def test_a_model_with_several_tasks_keeps_within_the_loss_on_each_unless_one_is_named():
    found = [step(0.25, 0.999), step(0.25, 0.95, task="hard")]
    assert only(found, Wish(0.01, speed=1.2)).best is None
    assert only(found, Wish(0.01, speed=1.2, task="t")).best.offer.task == "t"
    best = only(found, Wish(0.1, speed=1.2)).best
    assert best.offer.task == "hard" and [other.task for other in best.others] == ["t"]


def test_a_method_that_lacks_a_task_is_no_answer_and_a_task_that_nobody_is_ranked_on_is_none():
    both = [step(0.25, 0.999), step(0.25, 0.999, task="u"), step(0.25, 1.0, method="b")]
    assert only(both, Wish(0.01, speed=1.2)).best.offer.method == "a"
    unclear = [step(0.25, 0.999), step(0.25, 0.2, task="u", ranked=False)]
    assert only(unclear, Wish(0.01, speed=1.2)).tasks == ("t",)


def test_random_draws_are_no_answer():
    assert answers([replace(OFFER, stochastic=True)], Wish(0.01)) == []


def test_quality_that_is_kept_counts_more_than_more_speed_than_was_wanted_and_certainty_most():
    quick = replace(PREFILL, speedup=2.0, low=1.9)
    found = [step(0.25, 0.995, method="quick", speed=quick), step(0.25, 0.999, method="keeps")]
    assert only(found, Wish(0.01, speed=1.2)).best.offer.method == "keeps"
    unsure = step(0.25, 1.01, half=0.05, method="unsure")
    assert only([*found, unsure], Wish(0.01, speed=1.2)).best.offer.method == "keeps"


def test_without_a_wish_as_much_goes_as_can():
    assert only([step(0.25, 0.999), step(0.5, 0.998), step(0.75, 0.5)], Wish(0.01)).best.offer.share == 0.5


def test_memory_is_certified_where_its_peak_was_measured_and_predicted_elsewhere():
    measured, predicted = replace(PREFILL, memory=0.3), replace(PREFILL, predicted_memory=0.3)
    found = [step(0.25, 0.999, speed=predicted), step(0.25, 0.995, method="b", speed=measured)]
    best = only(found, Wish(0.01, memory=0.2)).best
    assert (best.offer.method, best.gain, best.sure) == ("b", 0.3, "certified")
    assert only(found[:1], Wish(0.01, memory=0.2)).best.sure == "measured"
    assert only([step(0.25, 0.999)], Wish(0.01, memory=0.2)).best is None
    peak_says_less = replace(PREFILL, memory=0.1, predicted_memory=0.3)
    assert only([step(0.25, 0.999, speed=peak_says_less)], Wish(0.01, memory=0.2)).best is None


def test_what_was_not_timed_has_no_speed():
    reply = only([replace(OFFER, timings=())], Wish(0.01, speed=1.2))
    assert (reply.work, reply.best, reply.within, reply.beyond, reply.most) == ("", None, None, None, None)


def test_certified_answers_come_first_and_kinds_and_settings_are_kept_to():
    found = [step(0.25, 0.9, model="none"), step(0.25, 0.999, half=0.05, model="measured"), step(0.25, 0.999)]
    found += [step(0.25, 1.0, model="v", kind="ViT"), step(0.25, 1.0, setting="recovered")]
    replies = answers(found, Wish(0.01, speed=1.2, kind="decoder", setting="as is"))
    assert [(reply.model, reply.sure) for reply in replies] == [
        ("m", "certified"),
        ("measured", "measured"),
        ("none", ""),
    ]


def test_one_thing_can_be_wanted_at_a_time():
    with pytest.raises(UserError, match="one can be wanted at a time"):
        Wish(0.01, speed=1.2, memory=0.2)


def test_every_family_is_of_a_kind_and_a_model_that_writes_is_a_decoder():
    assert set(FAMILIES) <= {family.name for family in FOUND}
    kinds = {name: kind_of(fixtures.cell("quick", name, "dense")) for name in fixtures.MODELS}
    assert sorted(kinds.values()) == sorted(KINDS)
    bert = fixtures.cell("quick", "lm-pydocs", "dense").model_copy(update={"family": "bert"})
    assert kind_of(bert) == "decoder"


@pytest.mark.parametrize(("said", "kind"), [("vit", "ViT"), ("Encoder", "encoder classifier"), ("decoder", "decoder")])
def test_a_kind_is_known_by_its_first_word_in_any_case(said, kind):
    assert known_kind(said) == kind


def test_an_unknown_kind_is_answered_with_the_near_one():
    with pytest.raises(UserError, match="Did you mean 'decoder'"):
        known_kind("decodr")


def test_the_tables_offer_every_step_with_its_sizes_and_timings(folder):
    names = (list(fixtures.METHODS), list(fixtures.MODELS))
    records = load("quick", *names, folder)
    tables = [read_table(folder, name) for name in ("leaderboard", "quality", "curves", "throughput")]
    found = offers(records.cells, *tables)
    assert {offer.kind for offer in found} == set(KINDS) and all(offer.share > 0 for offer in found)
    half = next(o for o in found if (o.model, o.method, o.target) == ("lm-pydocs", "michel-greedy", 0.5))
    assert half.parameters == pytest.approx(0.11, abs=0.01) and half.cache == pytest.approx(0.5)
    board = next(r for r in tables[0] if (r.model, r.method) == ("lm-pydocs", "michel-greedy"))
    assert board.speedup_50 in [timing.speedup for timing in half.timings]
    made = command(half, records.cells)
    assert made.startswith("headroom prune --model DIR_OR_HUB_ID --method michel-greedy --target 0.5 --task ")


def test_the_command_holds_what_params_yaml_says_of_the_method():
    record = fixtures.cell("quick", "lm-pydocs", "michel-greedy").model_copy(update={"parameters": {"exact": True}})
    cells = {("m", "a"): record}
    entry = Entry("methods/michel_greedy.py", {"absolute": "batch", "odd": "true"}, ("encoder.self",))
    assert "--set exact=true" in command(OFFER, cells)
    words = shlex.split(command(OFFER, cells, {"a": entry}, model="here", out="there"))
    assert words[words.index("--model") + 1] == "here" and words[-1] == "there"
    given = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    assert given == ["absolute=batch", 'odd="true"', 'kinds=["encoder.self"]']


def test_what_prune_cannot_do_has_no_command_and_a_reason():
    trained, floor = replace(OFFER, track="trained"), replace(OFFER, target=1.0)
    cells = {("m", "a"): fixtures.cell("quick", "lm-pydocs", "michel-greedy")}
    for offer in (trained, floor):
        assert command(offer, cells) == "" and why_none(offer).endswith(".")
    assert command(OFFER, {}) == "" and why_none(OFFER) == ""


def test_the_fine_tuning_behind_a_quality_is_said():
    record = fixtures.cell("quick", "lm-pydocs", "michel-greedy")
    points = [record.points[0].model_copy(update={"setting": "recovered", "updates": 60})]
    tuned = record.model_copy(update={"points": points})
    said = then(replace(OFFER, setting="recovered"), tuned)
    assert "after 60 steps of fine-tuning; --heal 60 --heal-kind full" in said and then(OFFER, tuned) == ""
