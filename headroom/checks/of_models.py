"""Checks of the models that come out: masked and removed agree, something really goes, and it loads again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any

import torch

from headroom.api import Plan, Unit
from headroom.attention import load_removed, save_removed
from headroom.checks.subject import Subject
from headroom.evaluate.agreement import logit_difference, logits, real

TOLERANCE = 1e-4  # between the logits of the masked and of the removed model
MOVED = 1e-6  # logits that move less than this have not moved


def check_masked_and_removed_agree(subject: Subject) -> None:
    """Every plan's removed model gives the logits of the dense one with gates of zero."""
    bench = subject.bench
    for plan, removed in models(subject):
        units, weights = bench.without_empty_stacks(set(plan.drop)), str(plan.weights or "")
        far = logit_difference(bench.dense(weights), removed, units, bench.batch)
        assert far < TOLERANCE, f"masked and removed model are {far:.1e} apart with {len(plan.drop)} units gone."


def check_something_really_goes(subject: Subject) -> None:
    """Parameters fall and logits change: no plan is a silent no-op."""
    bench = subject.bench
    whole = size(bench.dense())
    for plan, removed in models(subject):
        if not plan.drop:
            continue
        assert size(removed) < whole, f"{len(plan.drop)} units were removed and all {whole} parameters are still there."
        full = bench.dense(str(plan.weights or ""))
        with torch.no_grad():
            moved = (logits(full, bench.batch) - logits(removed, bench.batch)).abs()[real(full, bench.batch)].max()
        assert moved > MOVED, f"{len(plan.drop)} units were removed and no logit moved by more than {float(moved):.0e}."


def check_the_export_loads_again(subject: Subject) -> None:
    """A plan survives JSON, and its removed model a folder, bit for bit."""
    plans = [plan for plan in subject.plans if plan.drop]
    plan = plans[len(plans) // 2]
    written = json.loads(json.dumps(sorted(map(str, plan.drop))))
    assert frozenset(map(Unit.parse, written)) == plan.drop, "the units of the plan do not read back as written."
    with tempfile.TemporaryDirectory(prefix="headroom-check-") as folder, torch.inference_mode():
        removed = subject.bench.removed(plan.drop, str(plan.weights or ""))
        save_removed(removed, folder)
        again = load_removed(folder)
        same = torch.equal(removed(**subject.bench.batch).logits, again(**subject.bench.batch).logits)
    assert same, "the removed model gives other logits after it was saved and loaded."


def models(subject: Subject) -> Iterator[tuple[Plan, Any]]:
    """Every plan with the model without its units."""
    for plan in subject.plans:
        yield plan, subject.bench.removed(plan.drop, str(plan.weights or ""))


def size(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
