"""From what is asked and how fast a model is to seconds: each stage in its parts, and what each part rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headroom.config.params import Params
from headroom.estimate.figures import Basis, Part
from headroom.estimate.pace import Offer, Pace
from headroom.estimate.spent import Spent
from headroom.estimate.unprepared import Key, key, offered_to, timed_plans
from headroom.measure.devices import resolved
from headroom.measure.paired import WARM_UP
from headroom.pipeline.cell import Asked, Cell, dense_questions
from headroom.pipeline.crew import processes
from headroom.pipeline.timing import TOGETHER

# Assumed, from what one quiet machine with two cores showed; small beside what they stand next to.
FORK = 0.5  # seconds until a process that is forked for a question begins
STAGE = 2.0  # that DVC takes for a stage
TIMING = 0.3  # that a timing takes beside its calls: the removed model, and a call that is counted
MORE_PAIRS = 1.3  # while a timing is noisy it goes on
PAGES, PAGES_PER_POINT = 20.0, 0.01  # of the stages that join and show: once, and for each point
PROBED, PROBED_LANGUAGE = 12_000, 2_000  # examples that the stage `claims` passes through a model, at most


@dataclass(frozen=True)
class Wanted:
    """A measurement: how much goes of which units, and how many steps of fine-tuning follow."""

    offer: Offer
    share: float
    steps: int


@dataclass
class Course:
    """The cells of a model with their plans, and what each costs a seed."""

    params: Params
    cells: Sequence[Cell]
    spent: Mapping[str, Spent]
    offers: Mapping[str, Offer]
    exact: bool  # whether all plans are known
    points: dict[Key, Wanted] = field(default_factory=dict)
    asked: int = 0  # points of all records, those included that are one measurement
    timings: int = 0

    @property
    def lanes(self) -> int:
        """Processes that do not wait for each other: those that share a card do."""
        device = resolved(self.params.run.device)
        return processes(self.params.run, device) if device == "cpu" else 1

    @property
    def remembered(self) -> int:
        """Measurements that take the dense model's scores from those that every process compares with: point zero."""
        return sum(not (one.share or one.steps) for one in self.points.values())


def course(params: Params, cells: Sequence[Cell], spent: Mapping[str, Spent], exact: bool, shape: object) -> Course:
    """Every measurement of a model once, as ``measure.wanted_by`` finds them, with what goes in it."""
    inside = [cell for cell in cells if cell.within_reach]
    offers = {cell.name: tuple(offered_to(cell, shape)) for cell in inside}
    found = Course(params, cells, spent, offers, exact)
    timed: set[Key] = set()
    if inside:
        found.points = {key(one): Wanted((), 0.0, one.steps) for one in dense_questions(inside[0].run)}
    for cell in inside:
        points = list(cell.asked())
        for one in points:
            found.points.setdefault(key(one.question), wanted(one, offers[cell.name]))
        found.asked += len(points)
        timed |= timed_plans(cell, points)
    found.timings = len(timed)
    return found


def wanted(one: Asked, offer: Offer) -> Wanted:
    known = set(one.plan["drop"]) <= set(offer)
    share = len(one.plan["drop"]) / len(offer) if known else one.plan["target"]
    return Wanted(offer, min(1.0, share), one.question.steps)


def parts(course: Course, pace: Pace, steps: int, start: float, language: bool) -> Iterator[Part]:
    """The seconds of a model. ``steps`` are those of its training, ``start`` is that of a process with torch in it."""
    yield Part("prepare", "process", start, "measured")
    yield Part("prepare", "DVC", STAGE, "assumed")
    yield Part("prepare", "data and files", pace.prepare, pace.basis)
    if steps:
        yield Part("prepare", "training", pace.train.beside + steps * pace.train.seconds, pace.basis)
    yield from _measure(course, pace, start)
    if course.timings and pace.calls:
        yield Part("time", "process and model", start + pace.load, pace.basis)
        yield Part("time", "DVC", STAGE, "assumed")
        yield Part("time", "timings", timing(course, pace), pace.basis)
    probed = min(PROBED_LANGUAGE if language else PROBED, 100 * pace.calibrate)
    yield Part("other", "claims", probed * pace.forward, "assumed")


def _measure(course: Course, pace: Pace, start: float) -> Iterator[Part]:
    ready = start + pace.load + pace.dense
    yield Part("measure", "processes", ready + len(course.cells) * FORK / course.lanes, pace.basis)
    yield Part("measure", "DVC", STAGE, "assumed")
    groups: dict[Basis, list[float]] = {}
    for cell in course.cells:
        if cell.within_reach:
            groups.setdefault(course.spent[cell.name].basis, []).extend(planning(course, cell, pace))
    longest = max((one for found in groups.values() for one in found), default=0.0)
    whole = sum(sum(found) for found in groups.values())
    late = max(1.0, longest * course.lanes / whole) if whole else 1.0  # the last one is waited for
    for basis, found in groups.items():
        worse = basis if pace.basis == "measured" else pace.basis
        yield Part("measure", f"plans, {basis}", late * sum(found) / course.lanes, worse)
    seconds = sum(point(pace, one) for one in course.points.values()) - course.remembered * pace.dense
    seconds += course.asked * pace.book
    yield Part("measure", "points", seconds / course.lanes, pace.basis)


def planning(course: Course, cell: Cell, pace: Pace) -> Iterator[float]:
    """Seconds of each question about a method's plans: the draws of a random method are one."""
    spent = course.spent[cell.name]
    recover = course.params.recover.get(cell.run.name)
    taught = spent.updates * recover.batch if recover else 0  # examples that the steps of a training pass
    seconds = spent.updates * pace.recover.seconds
    seconds += max(0.0, spent.forward - taught) * pace.forward + max(0.0, spent.backward - taught) * pace.backward
    together = cell.declared is not None and cell.declared.stochastic
    for _ in cell.seeds[:1] if together else cell.seeds:
        yield FORK + pace.load + seconds


def point(pace: Pace, one: Wanted) -> float:
    """Seconds of a measurement."""
    recovery = pace.recover.beside + one.steps * pace.recover.seconds if one.steps else 0.0
    return pace.point(one.offer, one.share) + recovery


def timing(course: Course, pace: Pace) -> float:
    """Seconds of all timings, each of the dense model's calls for a few removed ones."""
    speed = course.params.speed
    pairs = WARM_UP + min(MORE_PAIRS * speed.pairs, speed.most_pairs)
    wall = 1 + (course.params.run.threads > 1)  # the wall clock has a series of its own, as long as the other at most
    calls = (1 + 1 / TOGETHER) * pairs * wall * sum(pace.calls.values())
    return course.timings * (calls + TIMING * len(pace.calls))


def tokens(course: Course, pace: Pace, steps: int) -> dict[str, int]:
    """Tokens through the model in its training, plans and points, padding included; timings are left out."""
    planned = sum(
        course.spent[cell.name].forward * len(cell.seeds) * pace.example_tokens
        for cell in course.cells
        if cell.within_reach
    )
    measured = (min(course.lanes, len(course.points)) - course.remembered) * pace.dense_tokens
    measured += sum(pace.point_tokens + one.steps * pace.recover_tokens for one in course.points.values())
    return {"training": round(steps * pace.train_tokens), "plans": round(planned), "points": round(measured)}


def joining(points: Iterable[int | None], start: float) -> tuple[Part, ...]:
    """The stages that are there once: what runs here, tables, claims, pages."""
    count = sum(one or 0 for one in points)
    return (
        Part("other", "processes", 3 * start, "measured"),
        Part("other", "DVC", 4 * STAGE, "assumed"),
        Part("other", "tables and pages", PAGES + count * PAGES_PER_POINT, "assumed"),
    )
