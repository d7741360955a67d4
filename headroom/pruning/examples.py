"""The examples that a request names: a task of the project, or the user's own, and no more than were asked for."""

from __future__ import annotations

from typing import Any

from headroom.config.tasks import Task, load_task
from headroom.data.loading import load_splits
from headroom.errors import UserError
from headroom.evaluate.sacre import check_task
from headroom.pruning.subject import Request, Subject


def examples_of(request: Request) -> tuple[Task | None, dict[str, Any]]:
    """The task and its splits, of the project or of the user's own file; no more of them than were asked for."""
    if request.own:
        task, splits = request.own.load()
    elif request.task:
        task = load_task(request.task)
        check_task(task)
        splits = load_splits(task, request.data, train=False)
    else:
        return None, {}
    return task, spread(splits, request.examples)


def examples_to_learn(request: Request, subject: Subject) -> tuple[str, Any]:
    """What a smaller model may learn from, by the name of its split; never what is scored.

    It is the task's train split where there is one, whole, else what calibrates: of the user's own file one half.
    """
    task = subject.task
    if task and not request.own and "train" in task.splits.named():
        return "train", load_splits(task, request.data)["train"]
    return "calibrate", subject.splits["calibrate"]


def spread(splits: dict[str, Any], examples: int | None) -> dict[str, Any]:
    """So many examples of each split, evenly over all of it, for it may be sorted; all where it is not said."""
    if examples is None:
        return splits
    if examples < 1:
        raise UserError(f"--examples is {examples}; one or more are wanted.")
    places = {name: [place * len(rows) // examples for place in range(examples)] for name, rows in splits.items()}
    return {name: rows if len(rows) <= examples else rows.select(places[name]) for name, rows in splits.items()}
