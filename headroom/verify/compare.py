"""Two records of one cell, the published one and one just computed: what differs first, in the order of cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headroom.results.quality import SIZES
from headroom.results.records import CellRecord, Point, TaskScore
from headroom.results.verified import Verdict

STATES = ("track", "grains", "natural", "stochastic", "status", "reason")
COUNTED = ("forward", "backward", "updates")  # of the cost: seconds and memory are another machine's, or another day's

Name = tuple[Any, ...]


def verdict(published: CellRecord, again: CellRecord) -> tuple[Verdict, str]:
    """The verdict, and what differs first.

    In the record's own environment only the same bits are the same. Elsewhere (another platform, library or number of
    threads) every score has to lie within the published 95 % interval of its point; that is the whole tolerance. Where
    even the dense weights come out otherwise and scores lie outside, it is another model, and says nothing of the row.
    """
    first = next(differences(published, again), "")
    if not first:
        return "same to the bit", ""
    if not elsewhere(published, again):
        return "differs", first
    beyond, scores = outside(published, again)
    if beyond and published.provenance.weight_hash != again.provenance.weight_hash:
        return "cannot be checked", f"The dense model comes out otherwise in this environment. {first} {beyond}"
    if beyond:
        return "differs", f"{first} {beyond}"
    return (
        "same within the intervals",
        f"All {scores} scores lie within their published intervals. First of all, {first}",
    )


def elsewhere(published: CellRecord, again: CellRecord) -> list[str]:
    """What of the second environment is not the first one's."""
    one, other = published.provenance, again.provenance
    found = [
        f"{name} {other.versions.get(name, 'absent')} and not {one.versions.get(name, 'absent')}"
        for name in sorted({*one.versions, *other.versions})
        if one.versions.get(name) != other.versions.get(name)
    ]
    if one.machine != other.machine:
        found.append(f"machine {other.machine} and not {one.machine}")
    for name, default in (("device", "cpu"), ("dtype", "")):
        here, there = (getattr(which, name) or default for which in (other, one))
        if here != there and there:
            found.append(f"{name} {here} and not {there}")
    if one.threads != other.threads:
        found.append(f"{other.threads} threads and not {one.threads}")
    return found


def differences(published: CellRecord, again: CellRecord) -> Iterator[str]:
    """Every difference as a sentence: weights, data, what was asked, plans, answers, scores."""
    one, other = published.provenance.weight_hash, again.provenance.weight_hash
    if one != other:
        yield f"weights: {other[:16]} here, {one[:16]} published."
    yield from of_tasks(published, again)
    for name in STATES:
        if getattr(published, name) != getattr(again, name):
            yield f"{name}: {getattr(again, name)!r:.80} here, {getattr(published, name)!r:.80} published."
    for name, value in published.parameters.items():  # one that the method has gained since was not asked for then
        if name not in again.parameters:
            yield f"parameter {name}: {value!r:.80} published, and no parameter here."
        elif again.parameters[name] != value:
            yield f"parameter {name}: {again.parameters[name]!r:.80} here, {value!r:.80} published."
    ours, theirs = by_name(again), by_name(published)
    for key in [*theirs, *(key for key in ours if key not in theirs)]:
        if key not in ours or key not in theirs:
            yield f"point {words(key)}: {'published only' if key not in ours else 'here only'}."
    both = [(key, theirs[key], ours[key]) for key in theirs if key in ours]
    yield from (f"plan of {words(key)}: {said}" for key, then, now in both if (said := of_plans(then, now)))
    yield from (
        f"size of {words(key)}: {said}"
        for key, then, now in both
        if (said := of_fields(then, now, (*SIZES, "updates")))
    )
    for key, then, now in both:
        for name, score, own in scored(then, now):
            if own and (said := of_fields(score, own, list(type(score).model_fields))):
                yield f"{name} of {words(key)}: {said}"
    for spent, cost in zip(published.costs, again.costs, strict=False):
        if said := of_fields(spent, cost, COUNTED):
            yield f"cost of seed {cost.seed}: {said}"


def of_tasks(published: CellRecord, again: CellRecord) -> Iterator[str]:
    for name in sorted({*published.tasks, *again.tasks}):
        then, now = published.tasks.get(name), again.tasks.get(name)
        if then is None or now is None:
            yield f"task {name}: {'published only' if now is None else 'here only'}."
        elif then.data_hash != now.data_hash:
            yield f"data of {name}: {now.data_hash[:16]} here, {then.data_hash[:16]} published."
        elif said := of_fields(then, now, [name for name in type(then).model_fields if getattr(then, name) != {}]):
            yield f"task {name}: {said}"


def of_plans(then: Point, now: Point) -> str:
    """What is not the same of two plans: the first unit that only one of them removes."""
    apart = sorted({*then.plan} ^ {*now.plan})
    if apart:
        return f"{apart[0]} is removed {'here' if apart[0] in now.plan else 'in the published record'} only."
    if Path(then.weights).name != Path(now.weights).name:
        return f"trained weights {Path(now.weights).stem[:16]} here, {Path(then.weights).stem[:16]} published."
    return of_fields(then, now, ("status", "reason", "note", "plan_hash"))


def of_fields(then: Any, now: Any, names: Any) -> str:
    """The first field that is not the same, with both values."""
    for name in names:
        if getattr(then, name) != getattr(now, name):
            return f"{name} {getattr(now, name)!r:.60} here, {getattr(then, name)!r:.60} published."
    return ""


def outside(published: CellRecord, again: CellRecord) -> tuple[str, int]:
    """The first score that lies outside the published interval, as a sentence, and how many scores there are."""
    ours, scores = by_name(again), 0
    for key, then in by_name(published).items():
        for name, score, own in scored(then, ours.get(key)):
            if own is None:
                return f"There is no {name} of {words(key)} here.", scores
            scores += 1
            if not score.low <= own.value <= score.high:
                span = f"{score.low:.4g} to {score.high:.4g}"
                return f"The {name} of {words(key)} is {own.value:.4g} here, outside {span}.", scores
    return "", scores


def scored(then: Point, now: Point | None) -> Iterator[tuple[str, TaskScore, TaskScore | None]]:
    """Every published score of a point, what it is called, and the one beside it; None where there is none."""
    for task, score in then.tasks.items():
        yield f"score on {task}", score, now.tasks.get(task) if now else None
    for task, agreement in then.agreement.items():
        yield f"agreement on {task}", agreement, now.agreement.get(task) if now else None


def by_name(record: CellRecord) -> dict[Name, Point]:
    """Points by what they are called: setting, seed, and target or name."""
    return {(p.setting, p.seed, p.label or p.natural or p.target): p for p in record.points}


def words(name: Name) -> str:
    setting, seed, what = name
    return f"{what if isinstance(what, str) else f'target {what:g}'}, seed {seed}, {setting}"
