"""Shrink a model of one's own: plan, search, remove, save, and measure the smaller model beside the dense one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, RenderableType

from headroom.config.tasks import Task, load_task
from headroom.data.batches import batches
from headroom.data.loading import load_splits
from headroom.drafts import whole
from headroom.errors import UserError
from headroom.evaluate import logit_difference
from headroom.evaluate.sacre import check_task
from headroom.models.packages import cache_folder
from headroom.models.saving import begin, save_readers
from headroom.pipeline.journal import Journal
from headroom.pruning import frontier
from headroom.pruning.advising import AUTO, advised
from headroom.pruning.attempts import Attempt, attempts, preferred
from headroom.pruning.budgets import Budget
from headroom.pruning.comparison import comparison
from headroom.pruning.measuring import Bench
from headroom.pruning.planning import Step, method_of, parsed
from headroom.pruning.subject import Request, Subject, check_place, subject_of
from headroom.pruning.trials import CACHED, Trial
from headroom.pruning.watching import watched
from headroom.shipping import Shipped, check_format, opened, ship

REPORT = "headroom.json"
VERSION = 1


@dataclass
class Result:
    """What is printed, and whether there is a smaller model."""

    parts: list[RenderableType] = field(default_factory=list)
    nothing: str = ""  # why there is none
    stopped: bool = False  # by Ctrl-C

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield from self.parts


def prune(request: Request) -> Result:
    """Write a smaller model that meets the budget to ``request.out``, if there is one, and return what was found.

    Raises ``UserError`` for a target outside (0, 1) or below one unit, an unknown method, task or model, a family that
    is not supported, and a method that needs calibration examples when no task is named. Nothing is written then.
    """
    budget = request.wanted
    if request.threads < 1:
        raise UserError(f"--threads is {request.threads}; one or more are wanted.")
    check_place(request.out)
    check_format(request.format)
    or_own = "or your own examples with --data and --kind; see `headroom list`."
    asks = request.task or request.own
    if request.method != AUTO:
        method = method_of(request.method, parsed(request.parameters), request.examples)
        if method.calibrated and not method.stochastic and not asks:
            raise UserError(f"--method {request.method}: needs calibration examples. Name a task with --task, {or_own}")
    if budget.loss is not None and not asks:
        raise UserError(f"--max-loss: the loss is of a task's quality. Name one with --task, {or_own}")
    torch.set_num_threads(request.threads)
    subject = subject_of(request, *examples_of(request))
    check_budget(budget, subject)
    work = cache_folder() / "prune"
    weights = work / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    with watched() as watch:
        bench = Bench(subject, Journal(work / "journal"), budget.confidence, request.threads, watch)
        requests: tuple[Request, ...] = (request,)
        if request.method == AUTO:
            advice = advised(request, subject.purpose)
            watch.tell(advice.why)
            requests = advice.requests
        return result_of(list(attempts(requests, bench, weights)), bench, budget)


def result_of(made: list[Attempt], bench: Bench, budget: Budget) -> Result:
    """What was tried, and the model that is taken, saved."""
    result = Result(stopped=made[-1].stopped)
    taken = preferred(made, bench, budget)
    quality = bench.subject.task.metric.name if bench.subject.task else ""
    for attempt in made:
        if attempt.trials:
            best = attempt.best if attempt is taken else None
            name = attempt.request.method
            result.parts.append(frontier.table(name, attempt.trials, best, budget.confidence, quality))
    if taken is None:
        result.nothing = "\n".join(attempt.nothing for attempt in made)
        return result
    assert taken.step is not None
    return saved(taken.request, bench, taken.step, result, taken.trials)


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
    if request.examples is not None:
        splits = {name: spread(rows, request.examples) for name, rows in splits.items()}
    return task, splits


def spread(rows: Any, examples: int) -> Any:
    """So many examples of a split, evenly over all of it: it may be sorted."""
    if examples < 1:
        raise UserError(f"--examples is {examples}; one or more are wanted.")
    many = len(rows)
    return rows if many <= examples else rows.select([place * many // examples for place in range(examples)])


def check_budget(budget: Budget, subject: Subject) -> None:
    """Raises ``UserError`` for a limit on what a model has not."""
    if budget.kv is not None and subject.purpose not in CACHED:
        raise UserError(f"--max-kv: a model for {subject.purpose} keeps no cache. Leave the option out.")


def saved(request: Request, bench: Bench, step: Step, result: Result, trials: list[Trial]) -> Result:
    """Write the folder: the one place where a smaller model is saved. What fails on the way leaves nothing."""
    subject = bench.subject
    smaller = bench.smaller(step)
    tasks = [subject.task] if subject.task else []
    begin(smaller, subject.contract, tasks)
    with whole(request.out) as draft:
        shipped = ship(smaller, draft, request.format)
        save_readers(draft, subject.contract, tasks)
        result.parts += reported(request, bench, step, trials, draft, shipped)
    if result.stopped:
        result.parts.append(f"Stopped. {request.out} holds the best that was found until then.")
    return result


def reported(
    request: Request, bench: Bench, step: Step, trials: list[Trial], draft: Path, shipped: Shipped
) -> list[RenderableType]:
    """Measure what lies in the draft, write the report beside it, and give what is printed."""
    subject = bench.subject
    difference = differs(subject, opened(draft), step, subject.task)
    best, dense = bench.whole(step), bench.sizes(None)
    others = [trial for trial in trials if trial.step != step]
    report = {
        "version": VERSION,
        "model": {"name": request.model, "revision": request.revision, "files": subject.files},
        "method": {"name": request.method, "parameters": parsed(request.parameters), "seed": request.seed},
        "budget": asdict(request.wanted),
        "task": subject.task.model_dump(mode="json") if subject.task else None,
        "examples": {name: len(rows) for name, rows in subject.splits.items()},
        "threads": request.threads,
        "timed": bench.work.model_dump(exclude_defaults=True),
        "dense": {"sizes": asdict(dense)},
        "found": frontier.as_json(best),
        "logit_difference": difference,
        "format": {"kind": shipped.kind, "sentence": shipped.sentence, "loaded": list(map(asdict, shipped.loaded))},
        "tried": [frontier.as_json(trial) for trial in trials],
    }
    (draft / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if trials:
        frontier.draw([*others, best], best, asdict(request.wanted), draft / frontier.CHART)
    table = comparison(request.method, dense, best, subject.task, bench.work, difference, request.out)
    return [table, f"It is {shipped.sentence}.", *(f"Loaded again by {one}." for one in shipped.loaded)]


def differs(subject: Subject, smaller: Any, step: Step, task: Task | None) -> float | None:
    """The largest difference of logits between the masked model and the one that was saved; None without examples."""
    if task is None or subject.collator is None:
        return None
    batch = next(iter(batches(subject.splits["calibrate"], subject.collator, 8)))
    return logit_difference(subject.changed, smaller, step.drop, batch)
