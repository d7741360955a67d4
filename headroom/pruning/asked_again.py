"""How the same smaller model is asked for again, on the command line or in Python, without a path of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from headroom.config.plain import plain
from headroom.pruning.budgets import SURE
from headroom.pruning.subject import Request

LIMITS = {
    "loss": "--max-loss",
    "speed": "--min-speed",
    "parameters": "--max-parameters",
    "memory": "--max-memory",
    "kv": "--max-kv",
}
AS_SAID = ("task", "revision", "seed", "examples", "format", "dtype", "image_mean", "image_std")  # options by field


def command(request: Request, name: str) -> str:
    """The command line, of one line; ``name`` stands for the model."""
    words = ["headroom", "prune", "--model", name, "--method", request.method]
    words += ["--uniform"] if request.uniform else []
    for option, value in (*_budget(request), *_options(request)):
        words += [option, _number(value)]
    return plain(" ".join(shlex.join([*words, "--out", request.out.name]).split()))


def _budget(request: Request) -> Iterator[tuple[str, Any]]:
    budget = request.wanted
    for name, option in LIMITS.items():
        if getattr(budget, name) is not None:
            yield option, getattr(budget, name)
    if budget.target is not None:
        yield "--target", budget.target
    if budget.confidence != SURE:
        yield "--confidence", budget.confidence


def _options(request: Request) -> Iterator[tuple[str, Any]]:
    default = {field.name: field.default for field in fields(Request)}
    for name in AS_SAID:
        if getattr(request, name) != default[name]:
            yield f"--{name.replace('_', '-')}", getattr(request, name)
    if request.heal:
        yield from request.heal.options
    if request.own:
        yield "--data", request.own.file.name
        yield "--kind", request.own.kind
        yield from (("--column", pair) for pair in request.own.columns)
    yield from (("--set", pair) for pair in request.parameters)


def _number(value: Any) -> str:
    """In full: options have no exponents."""
    return f"{value:.12f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def in_python(request: Request) -> str:
    """The call of ``headroom.prune``."""
    given = {"method": request.method, "target": request.wanted.target}
    given |= {option[2:].replace("-", "_"): getattr(request.wanted, name) for name, option in LIMITS.items()}
    given |= {"examples": request.examples, "seed": request.seed or None, "uniform": request.uniform or None}
    given |= {option[2:].replace("-", "_"): value for option, value in (request.heal.options if request.heal else ())}
    words = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    data = ["data=..."] if request.task else []
    return plain(" ".join(f"headroom.prune({', '.join(['model', *words, *data])})".split()))
