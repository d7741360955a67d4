"""One order over all models: none is averaged over what it has, models weigh the same, and few models are few."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from headroom.results.leaderboard import Board
from headroom.results.overall import model_weights, overall
from headroom.results.resamples import Draws

NOISE = 0.01


def board(model: str, task: str, drawn: bool = True, **areas: float) -> Board:
    """Rows of one model and task whose examples draw the same noise for all."""
    order = sorted(areas.items(), key=lambda item: -item[1])
    members = [
        {"model": model, "task": task, "setting": "as is", "quality": "task", "group": "attention", "method": name}
        | {"area": area, "area_low": area - 2 * NOISE, "area_high": area + 2 * NOISE}
        for name, area in order
    ]
    shared = np.random.default_rng([ord(letter) for letter in model + task]).normal(0, NOISE, 500)
    draws = np.stack([area + shared for _, area in order])
    return Board(members, Draws(draws, {}) if drawn else None)


def ordered(*boards: Board, more: tuple[str, ...] = ()):
    """Rows by method, and duels by pair."""
    methods = dict.fromkeys([row["method"] for one in boards for row in one.members] + list(more))
    facts = {"setting": "as is", "quality": "task", "group": "attention", "track": "forward", "grains": "head"}
    rows = [SimpleNamespace(method=name, title=name.upper(), ranked=True, **facts) for name in methods]
    order, duels = overall([*rows, SimpleNamespace(method="dense", ranked=False, **facts)], boards)
    return {row.method: row for row in order}, {(duel.method, duel.other): duel for duel in duels}


def test_models_weigh_the_same_however_many_tasks_they_have():
    rows, _ = ordered(board("m", "t", a=0.9), board("n", "t", a=0.5), board("n", "u", a=0.3))
    assert rows["a"].area == pytest.approx((0.9 + (0.5 + 0.3) / 2) / 2)
    assert (rows["a"].rows, rows["a"].rows_asked, rows["a"].models) == (3, 3, 2)


def test_a_method_that_is_missing_somewhere_has_no_mean_and_no_place_and_says_where():
    rows, duels = ordered(board("m", "t", a=0.6, b=0.9), board("n", "t", a=0.5), more=("c",))
    assert (rows["a"].rank, rows["a"].rank_last, rows["a"].complete) == (1, 1, True)
    assert not rows["b"].complete and rows["b"].area is rows["b"].rank is None
    assert (rows["b"].rows, rows["b"].missing, rows["c"].rows) == (1, "n/t", 0)
    assert list(rows) == ["a", "b", "c"] and "dense" not in rows
    assert duels["b", "a"].rows == 1 and duels["b", "a"].difference == pytest.approx(0.3)


def test_rows_pair_the_order_so_that_noise_in_common_ties_nobody():
    rows, duels = ordered(board("m", "t", a=0.60, b=0.59), board("n", "t", a=0.50, b=0.49))
    assert (rows["a"].rank, rows["a"].rank_last, rows["b"].rank) == (1, 1, 2)
    assert rows["b"].behind == pytest.approx(0.01) and rows["b"].behind_low > 0
    assert (duels["a", "b"].wins, duels["a", "b"].ties, duels["a", "b"].losses) == (2, 0, 0)
    assert (rows["a"].wins, rows["b"].losses) == (2, 2)


def test_methods_that_models_disagree_on_are_tied_over_all():
    rows, duels = ordered(board("m", "t", a=0.9, b=0.6), board("n", "t", a=0.4, b=0.6))
    assert {(row.rank, row.rank_last) for row in rows.values()} == {(1, 2)}
    assert (duels["a", "b"].wins, duels["a", "b"].losses) == (1, 1)
    assert duels["a", "b"].difference_low < 0 < duels["a", "b"].difference_high


def test_the_interval_holds_the_spread_between_models_and_says_when_there_is_none_to_hold():
    two, _ = ordered(board("m", "t", a=0.9), board("n", "t", a=0.5))
    one, _ = ordered(board("m", "t", a=0.9))
    assert two["a"].between_models and two["a"].area_low < 0.51 and two["a"].area_high > 0.89
    assert not one["a"].between_models and one["a"].area_high - one["a"].area_low < 6 * NOISE


@pytest.mark.parametrize("models", [2, 3, 8])
def test_drawing_one_model_fewer_gives_a_mean_of_few_its_whole_variance(models):
    figures = np.random.default_rng(models).normal(size=models)
    drawn = figures @ model_weights(models)
    assert drawn.var() == pytest.approx(figures.var(ddof=1) / models, rel=0.1)
    assert np.allclose(model_weights(models).sum(axis=0), 1)


def test_rows_without_draws_lend_their_intervals_and_the_order_says_so():
    rows, duels = ordered(board("m", "t", drawn=False, a=0.6, b=0.59))
    assert not rows["a"].paired and not duels["a", "b"].paired
    assert (duels["a", "b"].ties, rows["b"].rank) == (1, 1)
    assert rows["a"].area_high - rows["a"].area_low == pytest.approx(4 * NOISE, rel=0.1)


def test_the_same_boards_give_the_same_figures():
    boards = [board("m", "t", a=0.6, b=0.59), board("n", "t", drawn=False, a=0.5, b=0.7)]
    assert ordered(*boards) == ordered(*boards)


def test_the_tables_hold_the_order_and_its_duels(table, folder):
    order = table("overall")
    placed = [row for row in order if row["rank"]]
    assert placed and {row["complete"] for row in placed} == {"true"}
    assert {row["complete"] for row in order if not row["rank"]} == {"false"}
    assert all(row["missing"] for row in order if row["complete"] == "false")
    pairs = {(row["setting"], row["group"], frozenset((row["method"], row["other"]))) for row in table("duels")}
    assert len(pairs) == len(table("duels")) > 0
    for duel in table("duels"):
        assert int(duel["wins"]) + int(duel["ties"]) + int(duel["losses"]) == int(duel["rows"])
    assert "mean area" in (folder / "dictionary.md").read_text(encoding="utf-8")
