"""`choose`, `show --all` and what examples were not enough for, in the words of the terminal."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from headroom.errors import UserError
from headroom.site.book import read_book
from headroom.site.numbers import TIMES
from headroom.site.qualities import QUALITIES, WORDS
from headroom.terminal import power
from headroom.terminal.ordering import orders_of
from headroom.terminal.wishing import file_of_profile, ratio_of, share_of


def run(*words: str, width: int = 100) -> str:
    from headroom.cli import app

    done = CliRunner(env={"COLUMNS": str(width), "TERM": "dumb"}).invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.mark.parametrize("width", [60, 80, 120])
def test_answers_fit_the_terminal_and_commands_stay_in_one_piece(project, width):
    lines = run("choose", "--loss", "20%", "--parameters", "1%", width=width).splitlines()
    commands = [line for line in lines if line.startswith("headroom prune ")]
    assert commands and all(shlex.split(line)[-2:] == ["--out", "DIR"] for line in commands)
    assert max(len(line) for line in lines if line not in commands) <= width
    assert any("as measured, not certified" in line or "certified" in line for line in lines)


def test_a_wish_that_nothing_meets_is_answered_with_the_nearest(project):
    said = " ".join(run("choose", "--loss", "0%", "--speed", "9", "--like", "encoder").split())
    assert "Nothing meets that; here is what comes nearest." in said
    assert f"Nearest with 9.00{TIMES} the speed: nothing that was measured." in said


def test_json_holds_the_same_answers_as_numbers(project):
    found = json.loads(run("choose", "--loss", "20%", "--parameters", "1%", "--like", "decoder", "--json"))
    assert {reply["kind"] for reply in found} == {"decoder"} and found[0]["tasks"] == ["bits", "cloze"]
    best = found[0]["answer"]
    assert best["parameters"] >= 0.01 and best["lost"] <= 0.2 and best["command"].startswith("headroom prune ")
    assert best["lost_low"] <= best["lost"] <= best["lost_high"] and set(best["other_tasks"]) < {"bits", "cloze"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "1"), "--loss is '1'; the quality that may be lost is a share such as 10% or 0.1"),
        (("--loss", "a little"), "--loss is 'a little'"),
        (("--speed", "20%"), "--speed is '20%'; a speed is told in times the dense model's, such as 1.2"),
        (("--speed", "0.9"), "such as 1.2, above 1."),
        (("--memory", "0"), "--memory is '0'"),
        (("--parameters", "nan"), "--parameters is 'nan'"),
        (("--speed", "1.2", "--memory", "20%"), "one can be wanted at a time"),
        (("--like", "decodr"), "Did you mean 'decoder'?"),
        (("--like", "vit"), "profile quick has measured no ViT. It has: "),
        (("--work", "prefil"), "Did you mean 'prefill'?"),
        (("--task", "cloz"), "there is no task 'cloz' in the tables. Did you mean 'cloze'?"),
        (("--setting", "as-is"), "Did you mean 'as is'?"),
    ],
)
def test_a_wrong_wish_is_answered_in_a_sentence(project, words, message):
    with pytest.raises(UserError) as caught:
        run("choose", *words)
    assert message in str(caught.value)


def test_without_results_the_command_that_makes_them_is_named(project):
    (project / "quick").unlink()
    with pytest.raises(UserError, match="dvc repro collect"):
        run("choose")


@pytest.mark.parametrize(
    ("text", "value"), [("1%", 0.01), ("1 %", 0.01), ("0.01", 0.01), (".5", 0.5), ("12.5%", 0.125)]
)
def test_a_share_may_be_told_in_per_cent(text, value):
    assert share_of(text, "--loss", "it") == pytest.approx(value)


@pytest.mark.parametrize("text", ["1.2", "1.2x", "1.2 X", f"1.2{TIMES}"])
def test_a_speed_may_be_told_in_times(text):
    assert ratio_of(text) == 1.2


def test_profiles_go_by_their_names(project):
    assert file_of_profile("quick").name == "params.yaml"
    with pytest.raises(UserError, match="Did you mean 'quick'"):
        file_of_profile("quik")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_show_all_begins_with_the_order_over_all_models_at_every_width(project, methods, width):
    lines = run("show", "--all", width=width).splitlines()
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    said = " ".join(" ".join(lines).split())
    assert said.startswith(f"All models: attention units, as is, by {WORDS['task'].name}")
    assert "3 rows (model and task) of 2 models." in said and "won, open, lost" in said
    assert "Not ranked on lm-pydocs/" in said  # magnitude-heads failed on one of the two models
    assert said.count("(dense ") == 6  # and every board follows


def test_tables_without_an_order_say_how_it_is_made(results):
    older = replace(read_book("quick", results), overall=[])
    (said,) = orders_of(older, QUALITIES, None)
    assert "`dvc repro collect` makes it" in str(said)


def test_the_order_is_shown_on_demand_alone(project):
    assert "All models" not in run("show")


def test_boards_say_in_words_what_could_not_be_certified_or_seen(project):
    said = " ".join(run("show", "--model", "bert-pydocs", width=160).split())
    assert "go: share that can go at a loss, as measured/certified by the interval" in said
    assert "to certify 1 % for" in said and "Two methods are told apart from" in said


def test_a_zero_that_means_too_few_examples_is_never_shown(results):
    book = read_book("quick", results)
    rows = [row for rows in book.board.values() for row in rows if row.ranked]
    short = [row for row in rows if row.certifiable_1 is False]
    assert short and all(power.go(row, "1").endswith("/few") for row in short if row.measured_1)
    assert all(power.go(row, "1") == "few" for row in short if not row.measured_1)
    surely = rows[0].model_copy(update={"measured_1": 0.0, "removable_1": 0.0, "certifiable_1": True})
    older = rows[0].model_copy(update={"measured_1": None, "removable_1": 0.125, "certifiable_1": None})
    assert power.go(surely, "1") == "0/0" and power.go(older, "1") == "12.5"
    one, more = (rows[0].model_copy(update={"certifiable_1": False, "seeds": seeds}) for seeds in (1, 3))
    assert power.uncertified([one], "1") == "Not enough examples to certify 1 % for any method."
    assert (
        power.uncertified([one, more, surely], "1") == "Not enough examples or seeds to certify 1 % for 2 of 3 methods."
    )
    assert power.uncertified([surely], "1") == "" and power.seen(older.model_copy(update={"visible_area": None})) == ""


def test_list_says_of_which_models_the_examples_were_too_few(whole, headroom):
    said = " ".join(headroom("list").out.split())
    assert "package: not enough examples or seeds to certify 1 % for" in said
