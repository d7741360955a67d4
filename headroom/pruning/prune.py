"""Shrink a model of one's own: plan, remove, save, and measure the smaller model beside the dense one."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.table import Table

from headroom import attention
from headroom.api import Method, Plan, Track
from headroom.config.model_spec import ModelSpec
from headroom.config.params import kinds_of
from headroom.config.registry import file_of, load_method, short
from headroom.config.tasks import Task, load_task
from headroom.data.batches import Collator
from headroom.data.columns import check_labels
from headroom.data.contract import make_collator
from headroom.data.loading import load_splits
from headroom.data.processors import processor_for
from headroom.drafts import whole
from headroom.errors import UserError
from headroom.models.loading import build, load_model, load_tokenizer
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.plans import ask
from headroom.pipeline.reach import refusal
from headroom.pruning.comparison import Subject, comparison


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    model: str
    method: str
    target: float
    out: Path
    task: str | None
    revision: str | None
    data: Path | None
    parameters: list[str]
    seed: int
    threads: int
    trust_remote_code: bool
    image_mean: float | None = None
    image_std: float | None = None


def prune(request: Request) -> Table:
    """Write the smaller model to ``request.out`` and return the comparison.

    Raises ``UserError`` for a target outside (0, 1) or below one unit, an unknown method, task or model, a family that
    is not supported, and a method that needs calibration examples when no task is named. Nothing is written then.
    """
    if not 0 < request.target < 1:
        raise UserError(
            f"--target is {request.target:g}; a target is the share of units to remove, above 0 and below 1."
        )
    if request.out.exists() and any(request.out.iterdir() if request.out.is_dir() else [request.out]):
        raise UserError(f"--out {request.out}: is there already and not empty. Name a new folder.")
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
    subject = load(request, task)
    splits = load_splits(task, request.data) if task else {}
    if task:
        check_labels(splits, task, subject.model.config.num_labels, f"{request.model}: num_labels")
    collator = collator_of(subject)
    with TemporaryDirectory() as scratch:
        plan = plan_of(request, method, subject, splits.get("calibrate"), collator, Path(scratch))
        subject.apply(plan)
    smaller = copy.deepcopy(subject.changed)
    attention.remove(smaller, list(plan.drop))
    with whole(request.out) as draft:  # a measurement that fails leaves nothing in the way of the next try
        attention.save_removed(smaller, draft)
        if subject.tokenizer is not None:
            subject.tokenizer.save_pretrained(draft)
        smaller = attention.load_removed(draft)  # what is measured is what was saved
        return comparison(request.method, subject, smaller, plan, task, splits, collator, request.out)


def parsed(pairs: list[str]) -> dict[str, Any]:
    """``["examples=64"]`` as ``{"examples": 64}``, values read as YAML."""
    from ruamel.yaml import YAML

    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise UserError(f"--set {wrong[0]}: wanted name=value, e.g. --set examples=64.")
    return {name: YAML(typ="safe").load(value) for name, _, value in (pair.partition("=") for pair in pairs)}


def load(request: Request, task: Task | None) -> Subject:
    """The dense model from a folder (one that Headroom saved, or any of transformers') or from the Hub."""
    folder = Path(request.model)
    tasks = [task.name] if task else ["none"]
    if not folder.is_dir():
        if folder.exists() or request.model.startswith((".", "/")) or request.model.count("/") != 1:
            raise UserError(f"--model {request.model}: is neither a folder nor a Hub id (owner/name).")
        if not request.revision:
            raise UserError(
                f"--model {request.model}: a Hub id needs --revision, 40 hex digits, so that it stays the same model."
            )
    spec = ModelSpec.model_validate(
        {
            "source": {"folder": "."} if folder.is_dir() else {"hub": request.model, "revision": request.revision},
            "tasks": tasks,
            "trust_remote_code": request.trust_remote_code,
            "image": image_statistics(request, folder),
        }
    )
    if folder.is_dir():
        return from_folder(folder, spec, task)
    purpose = task.purpose if task else "language"
    return Subject(build(spec, purpose), load_tokenizer(spec), purpose, spec)


def image_statistics(request: Request, folder: Path) -> dict[str, Any]:
    """Mean and deviation of pixels: as asked, else as the model's own preprocessor says, else 0.5."""
    notes = folder / "preprocessor_config.json"
    own = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
    mean = own.get("image_mean", 0.5) if request.image_mean is None else request.image_mean
    std = own.get("image_std", 0.5) if request.image_std is None else request.image_std
    return {"mean": mean, "std": std}


def from_folder(folder: Path, spec: ModelSpec, task: Task | None) -> Subject:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder) if (folder / "tokenizer_config.json").is_file() else None
    if (folder / "headroom_plan.json").is_file():
        model = attention.load_removed(folder)
        return Subject(model, tokenizer, attention.anatomy(model).info.purpose, spec)
    purpose = task.purpose if task else purpose_in(folder)
    return Subject(load_model(folder, purpose), tokenizer, purpose, spec)


def purpose_in(folder: Path) -> str:
    """What a model is for, from the class that its config names."""
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(f"--model {folder}: holds no config.json, so it is no model of transformers.")
    names = json.loads(config.read_text(encoding="utf-8")).get("architectures") or [""]
    purpose = attention.purpose_of_class(names[0])
    if purpose:
        return purpose
    endings = ", ".join(attention.PURPOSES)
    raise UserError(f"--model {folder}: config.json names {names[0]!r}; wanted a class that ends in one of {endings}.")


def collator_of(subject: Subject) -> Collator | None:
    """None for a model of texts that comes without a tokenizer: it can be pruned blindly and not scored."""
    if subject.tokenizer is None and subject.purpose != "image-classification":
        return None
    image = subject.purpose == "image-classification"
    processor = processor_for(subject.spec.image, subject.model.config, "--image-mean, --image-std") if image else None
    return make_collator(subject.purpose, subject.model, subject.tokenizer, processor, subject.spec.length)


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
