"""The second pool of workers: seats on the nodes of a Ray cluster. Questions go there, and answers come back here.

A seat that is lost, with its node or alone, gives its question to another one: what had not arrived is worked out
again, and nothing else. Only this process writes the journal, so an answer is there whole or not at all.
"""

from __future__ import annotations

import logging
import os
import pickle
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headroom.errors import UserError
from headroom.measure.clock import now
from headroom.pipeline.asking import Question, taken
from headroom.pipeline.parcels import Parcels, unpack
from headroom.pipeline.room import Room
from headroom.pipeline.seat import Line, Mark, Reply, Seat, Seated, versions
from headroom.pipeline.working import Trouble

logger = logging.getLogger(__name__)

LOSSES = 3  # times a question may lose its seat, before it is taken for the cause
REFUSALS = 3  # seats that were lost before any could be taken: then no node can run this
NEWS = 2.0  # seconds between two looks at the logs of seats that are at work
PATIENCE = 60.0  # seconds without any seat, after which it is said what is waited for


@dataclass(frozen=True)
class Lost:
    """In place of a reply: why there is none."""

    reason: str


@dataclass(eq=False)
class Chair:
    """The driver's end of a seat: what it was given, and the reference to what it is waited for."""

    actor: Any
    waits: Any
    seated: Seated | None = None
    question: Any = None
    holds: str = ""
    has: set[tuple[str, str]] = field(default_factory=set)  # files on its desk: place and content


class Seats:
    """A pool of seats. Leave the ``with`` block to give them up. Needs a cluster that is joined."""

    def __init__(self, room: Room, imports: Sequence[str], work: Path) -> None:
        """``work``: a folder of this project's where the driver's mark can lie."""
        import ray

        self.room, self.imports = room, imports
        self.seats: Any = ray.remote(Seat).options(max_concurrency=2, scheduling_strategy="SPREAD", **room.of_each)
        self.parcels = Parcels()
        self.chairs: list[Chair] = []
        self.refusals, self.lonely, self.looked = 0, now(), now()
        self.file = (work / f".seats-{uuid.uuid4().hex}").absolute()

    def __enter__(self) -> Seats:
        self.mark = Mark(str(Path.cwd()), str(self.file), self.file.name)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.mark.text, encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        for chair in [*self.chairs]:
            self._give_up(chair)
        self.file.unlink(missing_ok=True)

    def ask(self, questions: Sequence[Question] | deque[Question]) -> Iterator[tuple[Any, Any]]:
        """See ``Pool``."""
        todo = questions if isinstance(questions, deque) else deque(questions)
        lost = Counter[int]()
        try:
            while todo or self._busy:
                self._hire()
                self._hand_out(todo)
                for question, reply in self._heard():
                    lost[id(question)] += isinstance(reply, Lost)
                    if isinstance(reply, Lost) and lost[id(question)] < LOSSES:
                        logger.warning("A worker was lost, and its question goes to another one: %s", reply.reason)
                        todo.appendleft(question)
                    elif isinstance(reply, Lost):
                        yield question, Trouble(f"lost its worker {LOSSES} times; the last time: {reply.reason}")
                    else:
                        yield question, reply.content
        finally:
            for chair in self._busy:
                self._give_up(chair)

    @property
    def _busy(self) -> list[Chair]:
        return [chair for chair in self.chairs if chair.question is not None]

    def _hire(self) -> None:
        """As many seats as there shall be; Ray finds each a node, at once or when there is room."""
        while len(self.chairs) < self.room.count:
            actor: Any = self.seats.remote(self.room.threads, self.imports, environment())
            self.chairs.append(Chair(actor, actor.sit.remote(self.mark)))

    def _hand_out(self, todo: deque[Question]) -> None:
        for chair in self.chairs:
            if todo and chair.seated and chair.question is None:
                self._give(chair, taken(todo, chair.holds))

    def _give(self, chair: Chair, question: Question) -> None:
        chair.question = question
        chair.holds = chair.holds if question.fresh else question.holds
        needed = [parcel for path in self._reads(chair, question) for parcel in self.parcels.of(path)]
        needed = [parcel for parcel in needed if (parcel.path, parcel.digest) not in chair.has]
        chair.has |= {(parcel.path, parcel.digest) for parcel in needed}
        chair.waits = chair.actor.answer.remote(pickle.dumps(question), needed)

    def _reads(self, chair: Chair, question: Question) -> Sequence[Path]:
        return () if chair.seated and chair.seated.shared else question.reads

    def _heard(self) -> Iterator[tuple[Any, Reply | Lost]]:
        """Questions with what came of them. Waits a moment; seats that were taken, or given up, are noted."""
        import ray

        waiting = {chair.waits: chair for chair in self.chairs if chair.waits is not None}
        ready, _ = ray.wait([*waiting], timeout=NEWS)
        if len(ready) == 1:  # others may have come with it
            ready, _ = ray.wait([*waiting], num_returns=len(waiting), timeout=0)
        for reference in ready:
            chair = waiting[reference]
            found, question = self._received(reference, chair.question), chair.question
            chair.waits = chair.question = None
            if isinstance(found, Seated):
                self._seat(chair, found)
            if isinstance(found, Lost):
                self._give_up(chair, found.reason)
            if question is not None:
                yield question, found
        self._look_around()

    def _received(self, reference: Any, question: Question | None) -> Any:
        """What came, its log said and its files written. Raises what a worker raised, and what ends a run."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            found = ray.get(reference)
            if isinstance(found, Reply):
                say(found.lines)
                if found.kind == "raise":
                    raise found.content
                for parcel in found.parcels:
                    if not Path(parcel.path).is_file():
                        unpack(parcel, Path(parcel.path))
            return found
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, UserError | OSError) else error from None
        except RayError as error:
            return Lost(first_line(error))

    def _seat(self, chair: Chair, seated: Seated) -> None:
        """Raises ``UserError`` for a node whose numbers would not be those of this machine."""
        chair.seated, self.refusals = seated, 0
        for name, here in versions().items():
            if seated.versions[name] != here:
                raise UserError(
                    f"The node {seated.node} has {name} {seated.versions[name]}, and this machine {here}: numbers of "
                    "both would stand side by side. Install there what stands in constraints.txt."
                )

    def _give_up(self, chair: Chair, reason: str = "") -> None:
        """Raises ``UserError`` where no seat could be taken anywhere, and there is a reason for it."""
        import ray

        self.chairs.remove(chair)
        ray.kill(chair.actor)
        self.refusals += bool(reason) and chair.seated is None
        if self.refusals >= REFUSALS and not any(one.seated for one in self.chairs):
            raise UserError(f"No node of the Ray cluster can run Headroom: {reason}")

    def _look_around(self) -> None:
        """Fetch the logs of those at work, now and then; and say it where nobody can work."""
        import ray
        from ray.exceptions import RayError

        if any(chair.seated for chair in self.chairs):
            self.lonely = now()
        elif now() - self.lonely > PATIENCE:
            self.lonely = now()
            logger.warning("Waiting for a node of the Ray cluster with room for %s.", self.room)
        if now() - self.looked > NEWS:
            self.looked = now()
            for news in [chair.actor.news.remote() for chair in self._busy]:
                try:
                    say(ray.get(news, timeout=NEWS))
                except RayError:  # it is lost, which its answer will say, or slow
                    continue


def say(lines: Sequence[Line]) -> None:
    """Log what a worker logged."""
    for name, level, text in lines:
        logging.getLogger(name).log(level, "%s", text)


def environment() -> dict[str, str]:
    """What of this process's environment is meant for whoever works for it."""
    return {name: value for name, value in os.environ.items() if name.startswith(("HF_", "HEADROOM_"))}


def first_line(error: BaseException) -> str:
    """Ray explains at length; its last line holds the reason of a start that failed, its first one that of a loss."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (lines[-1] if "creation task" in str(error) else lines[0])[:400]
