"""Checks of what a method answers: a plan for every target, of the right size, the same every time."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file

from headroom.api import Plan, Track
from headroom.checks.subject import Subject


def check_every_target_has_a_plan(subject: Subject) -> None:
    """The method neither raises nor leaves a target out, and every plan names units that it was offered."""
    answer = subject.first.answer
    last = answer.trace.strip().splitlines()[-1:]
    assert not answer.trace, f"it raised {last[0]} on the {subject.family} toy."
    assert not answer.missing, next(iter(answer.missing.values()))
    answered = {plan.target for plan in answer.plans if not plan.label}
    left_out = sorted(set(subject.targets) - answered)
    assert subject.method.natural or answered == {0.0} or not left_out, (
        f"it yielded no plan for target {left_out[0]:g}."
    )


def check_target_zero_is_the_dense_model(subject: Subject) -> None:
    """Nothing is removed at target 0, and the logits are the dense model's bit for bit."""
    plan = subject.at_targets[0]
    assert plan.target == 0, f"the lowest target asked for is 0, and the first plan answers {plan.target:g}."
    assert not plan.drop, f"the plan for target 0 removes {len(plan.drop)} units; it has to leave the dense model."
    if subject.method.track is Track.TRAINED:
        return  # its weights were trained, and only they may differ
    dense, made = subject.bench.dense(), subject.bench.removed(plan.drop, str(plan.weights or ""))
    with torch.inference_mode():
        same = torch.equal(dense(**subject.bench.batch).logits, made(**subject.bench.batch).logits)
    assert same, "the model of the plan for target 0 gives other logits than the dense one."


def check_plans_have_the_size_asked_for(subject: Subject) -> None:
    """Each plan removes its share within one unit, or carries a note; a point of its own states what it removes."""
    units = len(subject.units)
    for plan in subject.plans:
        off = abs(len(plan.drop) - (plan.target * units))
        assert plan.note or plan.label or off <= 1 + 1e-6, (
            f"the plan {named(plan)} removes {len(plan.drop)} of {units} units, {off:.1f} off its share; "
            "remove the share, or give the plan a note that says why."
        )


def check_larger_targets_remove_no_less(subject: Subject) -> None:
    """The number of units removed never falls as the target rises."""
    sizes = [len(plan.drop) for plan in subject.at_targets]
    assert sizes == sorted(sizes), f"targets that rise remove {sizes} units; a larger target must not remove fewer."


def check_natural_points_end_at_the_floor(subject: Subject) -> None:
    """A curve of a method's own points ends where everything is gone, like the others."""
    units = frozenset(subject.units)
    assert any(plan.natural and plan.drop == units for plan in subject.plans), (
        'no point removes everything; also yield Plan(1.0, frozenset(ctx.units), natural="floor").'
    )


def check_same_seed_gives_the_same_plans(subject: Subject) -> None:
    """Twice the same question, twice the same answer, wherever the global random generators stand."""
    first, again = described(subject.plans), described(subject.again.answer.plans)
    assert first == again, (
        f"two runs with one seed differ at {apart(first, again)}; take all chance from ctx.rng or ctx.seed."
    )


def check_chance_is_declared(subject: Subject) -> None:
    """With the same calibration examples and another seed only a method that is ``stochastic`` may differ."""
    first, other = described(subject.plans), described(subject.drawn_again.answer.plans)
    assert first == other, (
        f"another seed on the same examples differs at {apart(first, other)}; declare stochastic = True, "
        "or let only the calibration examples decide."
    )


def described(plans: list[Plan]) -> list[tuple[object, ...]]:
    """Everything that makes a plan; weights by what they hold."""
    return [
        (named(plan), sorted(map(str, plan.drop)), plan.note, held(plan.weights) if plan.weights else "")
        for plan in plans
    ]


@lru_cache(maxsize=256)
def held(weights: Path) -> str:
    """A hash of the tensors in a file; the file itself also holds the names of tied ones, in any order."""
    tensors = load_file(weights)
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def apart(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> str:
    """The first plan that is not the same."""
    differing = [str(a[0]) for a, b in zip(one, other, strict=False) if a != b]
    return differing[0] if differing else f"the number of plans, {len(one)} and {len(other)}"


def named(plan: Plan) -> str:
    return plan.natural or plan.label or f"for target {plan.target:g}"
