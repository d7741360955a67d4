"""The folder of a smaller model: the model in a form that others load, what feeds it, and what was measured."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headroom.config.tasks import Task
from headroom.data.batches import batches
from headroom.drafts import whole
from headroom.evaluate import logit_difference
from headroom.measure.machine import machine
from headroom.models.saving import begin, save_readers
from headroom.pruning import frontier
from headroom.pruning.card import CARD, came_of, card_of
from headroom.pruning.planning import Step, parsed
from headroom.pruning.shrinking import Outcome, Written
from headroom.pruning.subject import Subject
from headroom.shipping import Shipped, opened, ship

REPORT = "headroom.json"
VERSION = 1


def written(outcome: Outcome, folder: Path, format: str) -> Written:
    """Write the folder: the one place where a smaller model is saved. What fails on the way leaves nothing.

    Raises ``UserError`` for a format that cannot say what is left, and for a model that gives no numbers.
    """
    subject, smaller = outcome.bench.subject, outcome.model
    tasks = [subject.task] if subject.task else []
    begin(smaller, subject.contract, tasks)
    with whole(folder) as draft:
        shipped = ship(smaller, draft, format, subject.contract.tokenizer)
        save_readers(draft, subject.contract, tasks)
        found = reported(outcome, draft, shipped)
        for licence in subject.origin.files:
            shutil.copyfile(licence, draft / licence.name)
        (draft / CARD).write_text(card_of(outcome, found, draft, folder.resolve().name), encoding="utf-8")
        return found


def reported(outcome: Outcome, draft: Path, shipped: Shipped) -> Written:
    """Measure what lies in the draft, and write the report beside it."""
    assert outcome.taken is not None
    bench, step = outcome.bench, outcome.step
    unhealed = bench.smaller(step)  # masked and removed are the same until one of them learns
    compared = opened(draft) if outcome.model is unhealed else unhealed
    difference = differs(bench.subject, compared, step, bench.subject.task)
    found = Written(shipped, bench.sizes(None), bench.whole(step), difference)
    trials, budget = outcome.taken.trials, asdict(outcome.request.wanted)
    report = as_json(outcome, found)
    (draft / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if trials:
        others = [trial for trial in trials if trial.step != step]
        frontier.draw([*others, found.found], found.found, budget, draft / frontier.CHART)
    return found


def as_json(outcome: Outcome, found: Written) -> dict[str, Any]:
    """All of it for machines."""
    assert outcome.taken is not None
    bench, request = outcome.bench, outcome.taken.request
    subject, shipped, origin = bench.subject, found.shipped, bench.subject.origin
    resolved = {name: value for name, value in asdict(origin).items() if name not in ("files", "said")}
    return {
        "version": VERSION,
        "model": {
            "name": request.model,
            "revision": request.revision,
            "resolved": resolved,
            "files": subject.files,
        },
        "method": {
            "name": request.method,
            "parameters": parsed(request.parameters),
            "seed": request.seed,
            "asked": outcome.request.method,
            "advice": advice_as_json(outcome) if outcome.advice else None,
        },
        "budget": asdict(request.wanted),
        "task": subject.task.model_dump(mode="json") if subject.task else None,
        "examples": {name: len(rows) for name, rows in subject.splits.items()},
        "threads": request.threads,
        "machine": machine(bench.threads, str(subject.model.device)).model_dump(exclude_none=True),
        "timed": bench.work.model_dump(exclude_defaults=True),
        "dense": {"sizes": asdict(found.dense)},
        "found": frontier.as_json(found.found),
        "logit_difference": found.difference,
        "healing": outcome.healed.as_json() if outcome.healed else None,
        "format": {"kind": shipped.kind, "sentence": shipped.sentence, "loaded": list(map(asdict, shipped.loaded))},
        "tried": [frontier.as_json(trial) for trial in outcome.taken.trials],
    }


def advice_as_json(outcome: Outcome) -> dict[str, Any]:
    """Why ``auto`` took this method, and what the others gave."""
    assert outcome.advice is not None
    others = [
        {
            "name": attempt.request.method,
            "parameters": parsed(attempt.request.parameters),
            "came": came_of(outcome, attempt),
            "tried": [frontier.as_json(trial) for trial in attempt.trials],
        }
        for attempt in outcome.tries
        if attempt is not outcome.taken
    ]
    return {
        "why": outcome.advice.why,
        "profile": outcome.advice.profile,
        "commit": outcome.advice.commit,
        "others": others,
    }


def differs(subject: Subject, smaller: Any, step: Step, task: Task | None) -> float | None:
    """The largest difference of logits between the masked model and the one that was saved; None without examples."""
    if task is None or subject.collator is None:
        return None
    batch = next(iter(batches(subject.splits["calibrate"], subject.collator, 8)))
    return logit_difference(subject.changed, smaller, step.drop, batch)
