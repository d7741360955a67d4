"""Ask a method for its plans, under a time limit, and check that they are what was asked for."""

from __future__ import annotations

import errno
import logging
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from headroom.api import Method, Plan
from headroom.config.plain import plain
from headroom.config.registry import file_of, short
from headroom.measure.clock import Stopwatch
from headroom.measure.memory import peak_memory_mb
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.deeds import contradiction
from headroom.pipeline.fence import fenced
from headroom.pipeline.model_run import ModelRun
from headroom.results.records import Cost

logger = logging.getLogger(__name__)
FULL = (errno.ENOSPC, errno.EDQUOT)
MOST = 1000  # plans of one seed; a sweep has a few dozen
LONGEST = 500  # letters of a note or a name


def asked(run: ModelRun, entry: str, method: Method, seed: int, alive: Callable[[], None]) -> dict[str, Any]:
    """The plans of one seed as JSON, and what they cost; ``alive`` is called at every sign of life of the method."""
    wanted, ctx = run.params.run, context(run, method, run.params.kinds(entry), seed)
    file = file_of(entry, run.params.entry(entry), f"{run.where}: methods.{entry}")
    with Stopwatch() as watch, fenced(run.params):
        answer = ask(method, ctx, wanted.targets, short(file), wanted.plan_seconds, alive)
    if answer.trace:
        logger.warning("%s on %s, seed %d:\n%s", method.name, run.name, seed, answer.trace)
    cost = Cost(
        seed=seed,
        seconds=watch.seconds,
        forward=ctx.deeds.forward,
        backward=ctx.deeds.backward,
        updates=ctx.deeds.updates,
        peak_memory_mb=peak_memory_mb(),
    )
    return {
        "plans": [written(plan, run.params.work, *ctx.budget.of(plan.weights)) for plan in answer.plans],
        "missing": sorted(answer.missing.items()),
        "cost": cost.model_dump(),
    }


def context(run: ModelRun, method: Method, kinds: tuple[str, ...] | None, seed: int) -> HarnessContext:
    """What the method gets, seeded. Its process makes these plans and measures nothing, so the model is lent to it."""
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
        weights_folder=(run.params.work / "weights").absolute(),  # the working directory of a method is another one
        kinds=kinds,
        lent=True,
        calibrate=bench.prepared.spec.calibrate,
    )


def written(plan: Plan, work: Path, spent: int, left: int) -> dict[str, Any]:
    """A plan as JSON, with the update steps that its weights have had and those that are left."""
    return {
        "target": float(plan.target),
        "label": plan.label,
        "natural": plan.natural,
        "note": plan.note,
        "drop": [str(unit) for unit in sorted(plan.drop)],
        "weights": (work / "weights" / plan.weights.name).as_posix() if plan.weights else "",
        "spent": spent,
        "left": left,
    }


@dataclass
class Answer:
    """The plans of one seed that are in order, and a sentence for each target that has none."""

    plans: list[Plan] = field(default_factory=list)
    missing: dict[float, str] = field(default_factory=dict)
    trace: str = ""


class TooSlow(BaseException):
    """A method that yielded nothing within its time. No ``Exception``, so that it goes past those who catch them."""


@contextmanager
def limit(seconds: float, file: str) -> Iterator[None]:
    """Interrupt the body after ``seconds``, and again after each further second that it goes on.

    Only the main thread can be interrupted, and stages run in it.
    """

    def ring(*_: object) -> None:
        raise TooSlow(f"{file}: yielded no plan within {seconds:g} s (params.yaml: run.plan_seconds).")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
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

    A plan that was not asked for, one too many, or a deed that the method's declarations deny leaves it without any
    plans: whoever answers another question has not answered this one. A full disk is nobody's fault, and is raised.
    """
    answer, trouble, seen = Answer(), "", set[str]()
    try:
        with ctx.deeds.optimisers_watched():
            for plan in yielded(method, ctx, targets, file, seconds):
                alive()
                if refused := unasked(plan, method, targets, seen):
                    raise Refused(f"{file}: {refused}")
                wrong = fault(plan, ctx)
                if wrong and (plan.label or plan.natural):
                    raise Refused(f"{file}: {wrong}")
                if wrong:
                    answer.missing[float(plan.target)] = f"{file}: {wrong}"
                else:
                    answer.plans.append(plan)
        if denied := contradiction(method, ctx.deeds):
            raise Refused(f"{file}: {denied}")
    except Refused as error:
        answer, trouble = Answer(missing={target: str(error) for target in targets}), str(error)
    except (Exception, TooSlow, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        trouble = str(error) if isinstance(error, TooSlow) else f"{file}: {type(error).__name__}: {error}"
        answer.trace = traceback.format_exc()
    explain_missing(answer, method, targets, trouble or f"{file}: yielded no plan for this target.")
    return answer


class Refused(Exception):
    """A method that answers what was not asked, or does what it denies."""


def yielded(method: Method, ctx: HarnessContext, targets: Sequence[float], file: str, seconds: float) -> Iterator[Any]:
    """What the method yields, each within its time, the work before the first included."""
    with limit(seconds, file):
        plans = method.plans(ctx, targets)
    if not isinstance(plans, Iterable):
        raise Refused(f"{file}: plans() gave {type(plans).__name__}; it has to yield a Plan for each target.")
    plans = iter(plans)
    for _ in range(MOST):
        with limit(seconds, file):
            try:
                plan = next(plans)
            except StopIteration:
                return
        yield plan
    raise Refused(f"{file}: yielded more than {MOST} plans.")


def explain_missing(answer: Answer, method: Method, targets: Sequence[float], why: str) -> None:
    """Every target has a plan or a sentence; a method with one point of its own (dense) needs no targets."""
    have = {plan.target for plan in answer.plans} | set(answer.missing)
    if answer.trace or not serves_no_targets(method, answer):
        answer.missing.update({target: why for target in targets if target not in have})


def serves_no_targets(method: Method, answer: Answer) -> bool:
    if method.natural and answer.plans:
        return True
    return any(plan.target == 0 and not plan.label for plan in answer.plans)


def unasked(plan: object, method: Method, targets: Sequence[float], seen: set[str]) -> str:
    """Why this is no answer to what was asked, as the end of a sentence; empty when it is one. Notes it in ``seen``."""
    if not isinstance(plan, Plan):
        return f"yielded {type(plan).__name__}, wanted a Plan."
    if not is_share(plan.target):
        return f"yielded a plan for target {plan.target!r}; a target is a share of units, 0 to 1."
    for name in ("note", "label", "natural"):
        text = getattr(plan, name)
        if not isinstance(text, str) or len(text) > LONGEST:
            where = f"plan for target {plan.target:.2f}"
            return f"{where} has the {name} {text!r:.80}; wanted text of {LONGEST} letters at most."
        if name != "note" and plain(text) != text:
            return f"named a point {text!r:.80}; a name holds no control characters."
    if plan.natural and not method.natural:
        return f"yielded the point {plan.natural!r} of its own and declares natural = False; declare natural = True."
    if not (plan.natural or plan.label) and method.natural:
        return f"yielded a plan for target {plan.target:g} and declares natural = True, so its points need names."
    if not (plan.natural or plan.label) and plan.target not in (0, *targets):
        return (
            f"yielded a plan for target {plan.target!r}, which was not asked for; yield the targets as they are given."
        )
    name = f"the label {plan.label!r}" if plan.label else f"the point {plan.natural or float(plan.target)!r}"
    if name in seen:
        return f"yielded {name} twice."
    seen.add(name)
    return ""


def fault(plan: Plan, ctx: HarnessContext) -> str:
    """What is wrong with a plan that was asked for, as the end of a sentence; empty when nothing is."""
    where, total = f"plan for target {plan.target:.2f}", len(ctx.units)
    if not isinstance(plan.drop, frozenset):
        return f"{where} removes a {type(plan.drop).__name__}; wanted a frozenset of units."
    foreign = [unit for unit in plan.drop if unit not in set(ctx.units)]
    if foreign:
        return f"{where} removes {str(foreign[0])[:80]}, which is none of the {total} units offered."
    if plan.weights is not None and not ctx.budget.knows(plan.weights):
        return f"{where} names weights that neither ctx.trained nor ctx.keep made here: {str(plan.weights)[:80]}."
    asked, removed = ctx.units.count(plan.target), len(plan.drop)
    if abs(asked - removed) > 1 and not (plan.note or plan.label or plan.natural):
        return (
            f"{where} removes {removed} of {total} units ({removed / total:.3f}). "
            f'Remove {asked}, or yield Plan(target={plan.target:.2f}, drop=..., note="why").'
        )
    return ""


def is_share(value: object) -> TypeGuard[float]:
    """Whether this is a number from 0 to 1, of Python's or NumPy's own."""
    return isinstance(value, int | float | np.floating) and not isinstance(value, bool) and bool(0 <= value <= 1)
