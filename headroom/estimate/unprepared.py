"""A model of a profile that is not prepared yet, and the cells of its methods with the plans that can be foreseen.

Who a method is and which settings and seeds a plan is measured in is asked of the same code that will ask it later.
Methods that go by position or by chance (``scores = False``) are asked for their plans, which cost nothing: the model
has its shape and no weights. Of others it is known how many units go: where all go or none, which.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from headroom.config.model_spec import ModelSpec
from headroom.config.params import Params
from headroom.config.registry import file_of, short
from headroom.estimate.spent import Spent
from headroom.pipeline.cell import Asked, Cell
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.fence import fenced
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.plans import ask, written
from headroom.pipeline.questions import DeclaredQuestion, Offered, PointQuestion, loaded
from headroom.pipeline.reach import of_kinds

Key = tuple[Any, ...]  # of a point: two with the same one are one measurement


class Unprepared(ModelRun):
    """What the pipeline will know of a model, without the notes of ``prepare``."""

    def __init__(self, params: Params, where: str, name: str, dtype: str = "float32") -> None:
        self.params, self.where, self.name = params.of(name), where, name
        self.folder = params.model_folder(name)
        self.facts: dict[str, Any] = {"dtype": dtype}
        self.tokens = None

    @cached_property
    def spec(self) -> ModelSpec:
        return self.params.spec(self.name)


def cells(run: Unprepared, shape: Any) -> list[Cell]:
    """A cell for every method, with what the method says of itself; ``shape`` is the model, weights or not."""
    from headroom.attention import anatomy

    plan = anatomy(shape)
    offered = Offered(plan.info, {grain: plan.units((grain,)) for grain in plan.info.grains})
    found = []
    for name in run.params.methods:
        cell = Cell(run, name)
        cell.declare(DeclaredQuestion(run, name, offered).answer())
        found.append(cell)
    return found


def foresee(cell: Cell, shape: Any, spent: Spent) -> bool:
    """Fill the plans of a cell as far as they can be known; gives whether they are what the method will answer."""
    if not cell.within_reach:
        return True
    method = loaded(cell.run, cell.name)
    if not method.scores and not method.natural:
        plans = {seed: asked(cell, method, shape, seed) for seed in cell.seeds}
        if all(plans.values()):
            cell.plans = {seed: {"plans": found} for seed, found in plans.items()}
            cell.complete()
            return True
    units = offered_to(cell, shape)
    for seed in cell.seeds:
        cell.plans[seed] = {"plans": list(guessed(cell, method, units, seed, spent))}
    return False


def asked(cell: Cell, method: Any, shape: Any, seed: int) -> list[dict[str, Any]]:
    """The plans of a method that looks at no weights; none where it failed."""
    run, wanted = cell.run, cell.run.params.run
    none: Any = None  # neither examples nor what makes batches of them: such a method looks at neither
    ctx = HarnessContext(
        shape, method.removes(), none, none, method.params, seed, kinds=run.params.kinds(cell.name), lent=True
    )
    ctx.units = replace(ctx.units, device="cpu")  # where it may sort them
    file = short(file_of(cell.name, run.params.entry(cell.name), run.where))
    with fenced(run.params):
        answer = ask(method, ctx, wanted.targets, file, wanted.plan_seconds)
    steps = run.recover.steps if run.recover else 0
    return [written(plan, run.params.work, 0, steps) for plan in answer.plans] if not answer.missing else []


def guessed(cell: Cell, method: Any, units: list[str], seed: int, spent: Spent) -> Iterator[dict[str, Any]]:
    """Plans with the names of units where these are known, and a name of their own where not.

    A method that orders the units gives the same ones where it is asked for the same number of them twice.
    """
    steps = cell.run.recover.steps if cell.run.recover else 0
    left = steps - round(getattr(method.params, "share", 1.0) * steps) if cell.declared.trains else steps  # type: ignore[union-attr]
    for place, (target, natural, label) in enumerate(targets(cell, spent)):
        count = int(target * len(units) + 1e-9)
        mine = "/".join((cell.name, str(seed), natural or label or str(count)))
        drop = units if count == len(units) else [] if not count and not natural else [mine]
        trained = cell.declared.trains and count < len(units) if natural else cell.declared.trains  # type: ignore[union-attr]
        weights = f"{cell.name}/{seed}/{natural and place}" if trained else ""
        yield {
            "target": target,
            "natural": natural,
            "label": label,
            "drop": drop,
            "weights": weights,
            "left": left if trained else steps,
        }


def targets(cell: Cell, spent: Spent) -> list[tuple[float, str, str]]:
    """(target, name of a point of the method's own, label) of each plan of a seed."""
    if cell.declared is not None and cell.declared.natural:
        return list(spent.own)
    return [(target, "", "") for target in cell.run.params.run.targets]


def offered_to(cell: Cell, shape: Any) -> list[str]:
    """The units that a cell's method may remove, as a plan lists them."""
    from headroom.attention import anatomy

    assert cell.declared
    units = anatomy(shape).units(cell.declared.grains)
    return [str(unit) for unit in sorted(of_kinds(units, cell.run.params.kinds(cell.name)))]


def key(question: PointQuestion) -> Key:
    """What tells one measurement of a model from another."""
    return question.drop, question.weights, question.steps, question.seed


def timed_plans(cell: Cell, points: list[Asked]) -> set[Key]:
    """What the stage ``time`` times of a cell: plans at the targets of ``speed``, of the first seed."""
    wanted = (0.0, *cell.run.params.speed.targets)
    first = min((one.seed for one in points), default=0)
    mine = [one for one in points if one.seed == first and not one.plan["label"]]
    own = [one for one in mine if one.plan["natural"]]
    found = [one for one in mine if not one.plan["natural"] and one.plan["target"] in wanted]
    found += [min(own, key=lambda one: abs(one.plan["target"] - target)) for target in wanted[1:] if own]
    return {(tuple(one.plan["drop"]), one.plan["weights"]) for one in found}
