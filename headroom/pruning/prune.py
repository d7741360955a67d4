"""Shrink a model of one's own: plan, remove, save, and measure the smaller model beside the dense one."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.table import Table

from headroom import attention
from headroom.api import Method, Plan, Track
from headroom.config.params import kinds_of
from headroom.config.registry import file_of, load_method, short
from headroom.config.tasks import load_task
from headroom.data.loading import load_splits
from headroom.drafts import whole
from headroom.errors import UserError
from headroom.evaluate.sacre import check_task
from headroom.models.saving import begin, save_readers
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.plans import ask
from headroom.pipeline.reach import refusal
from headroom.pruning.comparison import comparison
from headroom.pruning.subject import Request, Subject, check_place, subject_of


def prune(request: Request) -> Table:
    """Write the smaller model to ``request.out`` and return the comparison.

    Raises ``UserError`` for a target outside (0, 1) or below one unit, an unknown method, task or model, a family that
    is not supported, and a method that needs calibration examples when no task is named. Nothing is written then.
    """
    if not 0 < request.target < 1:
        raise UserError(
            f"--target is {request.target:g}; a target is the share of units to remove, above 0 and below 1."
        )
    if request.threads < 1:
        raise UserError(f"--threads is {request.threads}; one or more are wanted.")
    check_place(request.out)
    method = load_method(request.method, parsed(request.parameters), f"--method {request.method}")
    if method.track is Track.TRAINED:
        raise UserError(
            f"--method {request.method}: trains weights, which `headroom prune` does not. List it with the model in a "
            "params.yaml that has a `recover` section, or take a method of another track; see `headroom list`."
        )
    if method.calibrated and not method.stochastic and not request.task:
        raise UserError(
            f"--method {request.method}: needs calibration examples. Name a task with --task; see `headroom list`."
        )
    torch.set_num_threads(request.threads)
    task = load_task(request.task) if request.task else None
    if task:
        check_task(task)
    splits = load_splits(task, request.data, train=False) if task else {}
    subject = subject_of(request, task, splits)
    collator = subject.collator
    with TemporaryDirectory() as scratch:
        plan = plan_of(request, method, subject, splits.get("calibrate"), collator, Path(scratch))
        subject.apply(plan)
    smaller = attention.without(subject.changed, plan.drop)
    tasks = [task] if task else []
    begin(smaller, subject.contract, tasks)
    with whole(request.out) as draft:  # a measurement that fails leaves nothing in the way of the next try
        attention.save_removed(smaller, draft)
        save_readers(draft, subject.contract, tasks)
        smaller = attention.load_removed(draft)  # what is measured is what was saved
        return comparison(request.method, subject, smaller, plan, collator, request.out)


def parsed(pairs: list[str]) -> dict[str, Any]:
    """``["examples=64"]`` as ``{"examples": 64}``, values read as YAML."""
    from ruamel.yaml import YAML

    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UserError(f"--set {wrong[0]}: wanted name=value, e.g. --set examples=64.")
    return {name: YAML(typ="safe").load(value) for name, _, value in (pair.partition("=") for pair in pairs)}


def plan_of(request: Request, method: Method, subject: Subject, examples: Any, collator: Any, folder: Path) -> Plan:
    where = f"--method {request.method}"
    kinds = kinds_of(parsed(request.parameters), where)
    ctx = HarnessContext(
        subject.model,
        method.removes(),
        examples,
        collator,
        method.params,
        request.seed,
        weights_folder=folder,
        kinds=kinds,
    )
    if refused := refusal(method, ctx.info):
        raise UserError(f"{where}: {refused}")
    if not ctx.units:
        raise UserError(f"{where}: the model has no such unit at {', '.join(kinds or ())} (--set kinds).")
    file = short(file_of(request.method, None, "--method"))
    answer = ask(method, ctx, [request.target], file, seconds=3600)
    if answer.trace:
        raise UserError(f"{answer.missing.get(request.target, '')}\n{answer.trace}")
    # a method with points of its own gives the one nearest to what was asked
    plans = [plan for plan in answer.plans if plan.target == request.target or plan.natural]
    if not plans:
        raise UserError(answer.missing.get(request.target) or f"{file}: has no plan for a share of {request.target:g}.")
    plan = min(plans, key=lambda plan: abs(plan.target - request.target))
    if not plan.drop:
        total = len(ctx.units)
        raise UserError(
            f"--target is {request.target:g}, which of {total} units is none: the model would stay as it is. "
            f"With {math.ceil(1e4 / total) / 1e4:g} and above {request.method} removes one or more."
        )
    return plan
