"""Ask a method for its plans, under a time limit, and check that they are what was asked for."""

from __future__ import annotations

import errno
import logging
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from headroom.api import Method, Plan
from headroom.config.registry import short
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.model_run import ModelRun
from headroom.results.records import Cost

logger = logging.getLogger(__name__)
FULL = (errno.ENOSPC, errno.EDQUOT)


def asked(
    run: ModelRun, method: Method, file: Path, kinds: tuple[str, ...] | None, seed: int, alive: Callable[[], None]
) -> dict[str, Any]:
    """The plans of one seed as JSON, and what they cost; ``alive`` is called at every sign of life of the method."""
    wanted, ctx = run.params.run, context(run, method, kinds, seed)
    with Stopwatch() as watch:
        answer = ask(method, ctx, wanted.targets, short(file), wanted.plan_seconds, alive)
    if answer.trace:
        logger.warning("%s on %s, seed %d:\n%s", method.name, run.name, seed, answer.trace)
    cost = Cost(
        seed=seed,
        seconds=watch.seconds,
        forward=ctx.passes.forward,
        backward=ctx.passes.backward,
        updates=ctx.passes.updates,
        peak_memory_mb=peak_memory_mb(),
    )
    return {
        "plans": [written(plan, *ctx.budget.of(plan.weights)) for plan in answer.plans],
        "missing": sorted(answer.missing.items()),
        "cost": cost.model_dump(),
    }


def context(run: ModelRun, method: Method, kinds: tuple[str, ...] | None, seed: int) -> HarnessContext:
    """A private copy of the model for the method, seeded."""
    bench = run.bench
    return HarnessContext(
        bench.prepared.model,
        method.removes(),
        bench.calibration,
        bench.collator,
        method.params,
        seed,
        say=logger.info,
        lessons=bench.lessons(run.recover) if run.recover else None,
        weights_folder=run.params.work / "weights",
        kinds=kinds,
    )


def written(plan: Plan, spent: int, left: int) -> dict[str, Any]:
    """A plan as JSON, with the update steps that its weights have had and those that are left."""
    return {
        "target": float(plan.target),
        "label": plan.label,
        "natural": plan.natural,
        "note": plan.note,
        "drop": [str(unit) for unit in sorted(plan.drop)],
        "weights": plan.weights.as_posix() if plan.weights else "",
        "spent": spent,
        "left": left,
    }


@dataclass
class Answer:
    """The plans of one seed that are in order, and a sentence for each target that has none."""

    plans: list[Plan] = field(default_factory=list)
    missing: dict[float, str] = field(default_factory=dict)
    trace: str = ""


class TooSlow(Exception):
    """A method that yielded nothing within its time."""


@contextmanager
def limit(seconds: float, file: str) -> Iterator[None]:
    """Interrupt the body after ``seconds``. Only the main thread can be interrupted, and stages run in it."""

    def ring(*_: object) -> None:
        raise TooSlow(f"{file}: yielded no plan within {seconds:g} s (params.yaml: run.plan_seconds).")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ask(
    method: Method,
    ctx: HarnessContext,
    targets: Sequence[float],
    file: str,
    seconds: float,
    alive: Callable[[], None] = lambda: None,
) -> Answer:
    """Every plan the method yields for ``targets``. What it raises, or leaves out, becomes a sentence per target.

    A full disk is nobody's fault here, and is raised.
    """
    answer, trouble = Answer(), ""
    try:
        yielded = iter(method.plans(ctx, targets))
        while True:
            alive()
            with limit(seconds, file):
                plan = next(yielded)
            wrong = fault(plan, ctx, targets, file)
            if wrong:
                target = getattr(plan, "target", None)
                answer.missing[float(target) if is_share(target) else -1.0] = wrong
            else:
                answer.plans.append(plan)
    except StopIteration:
        pass
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        trouble = str(error) if isinstance(error, TooSlow) else f"{file}: {type(error).__name__}: {error}"
        answer.trace = traceback.format_exc()
    explain_missing(answer, method, targets, trouble or f"{file}: yielded no plan for this target.")
    return answer


def explain_missing(answer: Answer, method: Method, targets: Sequence[float], why: str) -> None:
    """Every target has a plan or a sentence; a method with one point of its own (dense) needs no targets."""
    have = {plan.target for plan in answer.plans} | set(answer.missing)
    if answer.trace or not serves_no_targets(method, answer):
        answer.missing.update({target: why for target in targets if target not in have})


def serves_no_targets(method: Method, answer: Answer) -> bool:
    if method.natural and answer.plans:
        return True
    return any(plan.target == 0 and not plan.label for plan in answer.plans)


def fault(plan: object, ctx: HarnessContext, targets: Sequence[float], file: str) -> str:
    """What is wrong with a plan, as a sentence; empty when nothing is."""
    if not isinstance(plan, Plan):
        return f"{file}: yielded {type(plan).__name__}, wanted a Plan."
    if not is_share(plan.target):
        return f"{file}: yielded a plan for target {plan.target!r}; a target is a share of units, 0 to 1."
    for name in ("note", "label", "natural"):
        if not isinstance(getattr(plan, name), str):
            return f"{file}: plan for target {plan.target:.2f} has the {name} {getattr(plan, name)!r}; wanted text."
    total = len(ctx.units)
    foreign = [unit for unit in plan.drop if unit not in set(ctx.units)]
    if foreign:
        where = f"{file}: plan for target {plan.target:.2f}"
        return f"{where} removes {foreign[0]}, which is none of the {total} units offered."
    asked, removed = ctx.units.count(plan.target), len(plan.drop)
    if abs(asked - removed) > 1 and not (plan.note or plan.label or plan.natural):
        return (
            f"{file}: plan for target {plan.target:.2f} removes {removed} of {total} units ({removed / total:.3f}). "
            f'Remove {asked}, or yield Plan(target={plan.target:.2f}, drop=..., note="why").'
        )
    return ""


def is_share(value: object) -> TypeGuard[float]:
    """Whether this is a number from 0 to 1, of Python's or NumPy's own."""
    return isinstance(value, int | float | np.floating) and bool(0 <= value <= 1)
