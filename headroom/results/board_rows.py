"""The rows of the tables that rank: boards, pairs of methods on one of them, and the order over all of them."""

from __future__ import annotations

from typing import Any

from pydantic import create_model

from headroom.results.records import Quality
from headroom.results.rows import QUALITY, RETAINED, SHARE, Group, Row, RowStatus, column


class LeaderboardFields(Row):
    """One (model, task, method, setting, quality). Ranked when its points are there and, its own ones, make a curve."""

    model: str = column("name of the model", ...)
    task: str = column("task scored", ...)
    setting: str = column("as is, or recovered; never ranked together", "as is")
    quality: Quality = column(QUALITY, "task")
    group: Group = column("attention: heads, KV groups, attention sublayers; other: MLPs, blocks, joint", ...)
    track: str = column("forward, gradient or trained: what the method needs", "")
    method: str = column("name of the method", ...)
    title: str = column("the method as people write it", "")
    paper: str = column("where it was published, or none", "")
    grains: str = column("kinds of units the method removes, joined by +", "")
    stochastic: bool = column("the seeds are random draws; the row is their mean", False)
    seeds: int = column("seeds or draws behind the row", 0)
    status: RowStatus = column("status of the cell", ...)
    reason: str = column("why the row is not ranked; empty when it is", "")
    points_ok: int = column("points scored", 0)
    points_asked: int = column("points asked for: targets times seeds", 0)
    ranked: bool = column("complete, so it has a rank", False)
    rank: int | None = column("best place in (model, task, setting, quality, track, group) that the intervals allow")
    rank_last: int | None = column("worst place that the intervals allow; equal ranks are ties")
    rank_all: int | None = column("the same over all tracks")
    rank_all_last: int | None = column("the same over all tracks")
    axis: str = column("what the area, the losses and the removable shares count as removed", "")
    dense_kept: float | None = column(
        "what the dense model itself keeps of its quality by the same fine-tuning, with nothing removed; 1 as is. All "
        "shares of a recovered row are of the dense model so fine-tuned",
        None,
        RETAINED,
    )
    area: float | None = column("area under retained quality against the share removed, floor included", None, RETAINED)
    area_low: float | None = column("lower end of its 95 % interval", None, RETAINED)
    area_high: float | None = column(
        "upper end of that interval; above 1 where draws of the examples leave the dense model little above chance, "
        "or where what was recovered does better than it",
        None,
        RETAINED,
    )
    behind: float | None = column("area of the next better row of the group minus this one", None, RETAINED)
    behind_low: float | None = column("lower end of the 95 % interval of that difference", None, RETAINED)
    behind_high: float | None = column("upper end of that interval", None, RETAINED)
    paired: bool | None = column("ranks and differences come from the same resamples of the examples for all rows")
    area_least: float | None = column("area of the worst seed or draw", None, RETAINED)
    area_most: float | None = column("area of the best seed or draw", None, RETAINED)
    area_all_parameters: float | None = column("the area against all parameters removed", None, RETAINED)
    lost_25: float | None = column("retained quality lost at 25 % removed, between two points linear", None, RETAINED)
    lost_25_error: float | None = column("half of the width of its interval", None, RETAINED)
    lost_50: float | None = column("the same at 50 % removed; empty beyond the method's last point", None, RETAINED)
    lost_50_error: float | None = column("half of the width of its interval", None, RETAINED)
    lost_75: float | None = column("the same at 75 % removed", None, RETAINED)
    lost_75_error: float | None = column("half of the width of its interval", None, RETAINED)
    visible_area: float | None = column(
        "smallest difference of area that two rows of the group could have shown: half-width of the (paired) 95 % "
        "interval of a difference, median over their pairs; the same in all rows of the group",
        None,
        RETAINED,
    )
    visible_25: float | None = column("the same of retained quality at 25 % removed", None, RETAINED)
    visible_50: float | None = column("the same of retained quality at 50 % removed", None, RETAINED)
    machine: str = column("fingerprint of the machine of the speed columns", "")
    work: str = column("workload of the speed columns, e.g. prefill, batch 8, length 128", "")
    cost_seconds: float | None = column("wall-clock seconds of scoring, mean over seeds", None, "s", 3)
    cost_forward: float | None = column("examples passed forward, mean over seeds", None, "examples", 1)
    cost_backward: float | None = column("examples passed backward, mean over seeds", None, "examples", 1)
    cost_updates: float | None = column("optimizer steps, mean over seeds", None, "steps", 1)
    cost_memory_mb: float | None = column("largest resident memory over seeds", None, "MiB", 1)
    random_method: str = column("random method that the row is compared with", "")
    random_axis: str = column("same targets, or interpolated on the removed share where the grains differ", "")
    above_random_middle: bool | None = column("the area is above the middle (median) of the random draws' areas")
    above_random_targets: int | None = column("targets at which the curve is above the middle draw")
    compared_targets: int | None = column("targets compared: all but dense and floor")
    random_p: float | None = column("(1 + draws whose area is at least as large) / (1 + draws)", None, "", 4)


def _operating_point(name: str, words: str) -> dict[str, Any]:
    """The columns of one operating point, e.g. speedup_1 for the share removable at 1 % loss."""
    optional = {
        "target": ("share of the method's units asked for " + words, SHARE),
        "attention": ("share of the attention parameters gone " + words, SHARE),
        "parameters": ("share of all parameters gone " + words, SHARE),
        "kv_bytes": ("self-attention cache bytes saved per token " + words, "bytes"),
        "speedup": ("measured speed-up " + words + "; empty when not timed", "ratio"),
        "speedup_low": ("lower end of its 95 % interval", "ratio"),
        "speedup_high": ("upper end of that interval", "ratio"),
        "ideal": ("ideal speed-up " + words, "ratio"),
    }
    return {f"{key}_{name}": (float | None, column(text, None, unit, 4)) for key, (text, unit) in optional.items()}


POINTS = {
    "1": "at the largest measured target that loses at most 1 % (lower end of the interval)",
    "5": "at the largest measured target that loses at most 5 % (lower end of the interval)",
    "50": "at target 0.5",
}


def _can_go(loss: str) -> dict[str, Any]:
    """The columns of what can go at one loss, in per cent: certified, as measured, and whether a certified 0 counts."""
    certified = f"largest measured share removable at no more than {loss} % loss (lower end of the interval): certified"
    measured = f"the same as measured: retained quality itself is at least 1 - {loss} %, here and at all smaller shares"
    enough = (
        f"false where removable_{loss} is 0 for want of examples or seeds: the interval of the first step holds a loss "
        f"of {loss} %, so that it could go either way; true where something is certified, or surely nothing"
    )
    return {
        f"removable_{loss}": (float | None, column(certified, None, SHARE)),
        f"measured_{loss}": (float | None, column(measured, None, SHARE)),
        f"certifiable_{loss}": (bool | None, column(enough)),
    }


LeaderboardRow = create_model(
    "LeaderboardRow",
    __base__=LeaderboardFields,
    __doc__=LeaderboardFields.__doc__,
    **_can_go("1"),
    **_can_go("5"),
    **{key: field for name, words in POINTS.items() for key, field in _operating_point(name, words).items()},
)


class PairRow(Row):
    """Two ranked rows of a (model, task, setting, quality, group): the difference of their areas, paired."""

    model: str = column("name of the model", ...)
    task: str = column("task scored", ...)
    setting: str = column("as is, or recovered", ...)
    quality: Quality = column(QUALITY, "task")
    group: Group = column("group of units that both are ranked in", ...)
    method: str = column("name of the method with the larger area", ...)
    other: str = column("name of the other method", ...)
    difference: float = column("area of the first minus area of the other", ..., RETAINED)
    difference_low: float = column("lower end of its 95 % interval, same resamples for both", ..., RETAINED)
    difference_high: float = column("upper end of that interval", ..., RETAINED)


class OverallRow(Row):
    """A method over all (model, task) rows of a group: a mean and a place only where it is ranked on all of them."""

    setting: str = column("as is, or recovered; never ranked together", ...)
    quality: Quality = column(QUALITY, ...)
    group: Group = column("group of units that the method is ranked in", ...)
    method: str = column("name of the method", ...)
    title: str = column("the method as people write it", "")
    track: str = column("forward, gradient or trained: what the method needs", "")
    grains: str = column("kinds of units the method removes, joined by +", "")
    complete: bool = column("ranked on all rows, so it has a mean and a place", ...)
    rows: int = column("(model, task) rows on which the method is ranked", ..., "rows")
    rows_asked: int = column("(model, task) rows on which any method of the group is", ..., "rows")
    models: int = column("models of the rows asked", ..., "models")
    missing: str = column("rows on which it is not ranked, as model/task with a comma between them", "")
    rank: int | None = column("best place among the complete methods that the paired intervals allow")
    rank_last: int | None = column("worst place that they allow; equal ranks are ties")
    area: float | None = column("mean area: models weigh the same, and so do the tasks of a model", None, RETAINED)
    area_low: float | None = column("lower end of its 95 % interval, by resampling examples and models", None, RETAINED)
    area_high: float | None = column("upper end of that interval", None, RETAINED)
    behind: float | None = column("mean area of the next better complete method minus this one", None, RETAINED)
    behind_low: float | None = column("lower end of the 95 % interval of that difference", None, RETAINED)
    behind_high: float | None = column("upper end of that interval", None, RETAINED)
    between_models: bool = column("the intervals hold the spread between models; false where there is one model", ...)
    paired: bool = column("all draws are on the same resamples of the examples; false: some from rows' intervals", ...)
    wins: int = column("duels won: rows times rivals of the group that the interval puts below it", ..., "duels")
    ties: int = column("duels that the interval leaves open", ..., "duels")
    losses: int = column("duels lost", ..., "duels")


class DuelRow(Row):
    """Two methods of a setting, quality and group over the (model, task) rows on which both are ranked."""

    setting: str = column("as is, or recovered", ...)
    quality: Quality = column(QUALITY, ...)
    group: Group = column("group of units that both are ranked in", ...)
    method: str = column("name of the method with the larger mean area on these rows", ...)
    other: str = column("name of the other method", ...)
    rows: int = column("(model, task) rows on which both are ranked", ..., "rows")
    models: int = column("models of these rows", ..., "models")
    wins: int = column("rows on which the 95 % interval of the difference puts the first above", ..., "rows")
    ties: int = column("rows on which it holds 0", ..., "rows")
    losses: int = column("rows on which it puts the first below", ..., "rows")
    difference: float = column("mean area of the first minus that of the other, on these rows", ..., RETAINED)
    difference_low: float = column("lower end of its 95 % interval, by resampling examples and models", ..., RETAINED)
    difference_high: float = column("upper end of that interval", ..., RETAINED)
    paired: bool = column("both on the same resamples of the examples in every row", ...)
