"""Worker processes: self-contained questions in, answers out, whatever becomes of the process that works on one.

A method may leave its interpreter, crash it, be killed for memory, or block where no alarm reaches it. So it never runs
in the process that keeps the books. Workers are forked from a server that has imported the libraries and run nothing:
a fresh process costs milliseconds and not the seconds of an import. On other machines each seat has such a pool.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from headroom.measure.clock import now
from headroom.pipeline.asking import Question, taken
from headroom.pipeline.starting import environment
from headroom.pipeline.working import Trouble, work

ENDED = 2.0  # seconds after which a process that answered and does not end is made to


@dataclass
class Worker:
    """A process, the pipe to it, the question that it has, and what it has loaded."""

    process: BaseProcess
    pipe: Connection
    question: Any = None
    holds: str = ""
    heard: float = field(default_factory=now)

    @property
    def overdue(self) -> bool:
        """Whether a question that has a limit was silent for longer."""
        limit = self.question.seconds if self.question is not None else None
        return limit is not None and now() - self.heard > limit

    def give(self, question: Question) -> None:
        """Let it work on a question."""
        self.question, self.holds, self.heard = question, question.holds, now()
        self.pipe.send(question)

    def heard_from(self) -> tuple[str, Any]:
        """The next message. Raises ``EOFError`` when it died, also where a child of its own still holds the pipe."""
        if not self.pipe.poll():
            raise EOFError
        self.heard = now()
        return self.pipe.recv()

    def end(self, kill: bool = False) -> None:
        """Let the process go; one that does not want to is killed."""
        self.pipe.close()
        if not kill:
            self.process.join(ENDED)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


class Workers:
    """A pool of processes. Leave the ``with`` block to end them."""

    def __init__(self, count: int, threads: int, imports: Sequence[str] = ()) -> None:
        """``imports``: modules that every worker will need, imported once for all of them."""
        self.count, self.threads = count, threads
        methods = multiprocessing.get_all_start_methods()
        self.context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        environment(threads)
        if "forkserver" in methods:
            self.context.set_forkserver_preload(["headroom.pipeline.libraries", *imports])
        self.idle: list[Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.idle:
            worker.end()
        self.idle.clear()

    def ask(self, questions: Sequence[Question] | deque[Question]) -> Iterator[tuple[Any, Any]]:
        """See ``Pool``."""
        todo = questions if isinstance(questions, deque) else deque(questions)
        tried = dict[int, int]()
        busy: list[Worker] = []
        try:
            while todo or busy:
                while todo and len(busy) < self.count:
                    busy.append(self._given(taken(todo, self.idle[-1].holds if self.idle else "")))
                for worker, result in self._heard(busy):
                    busy.remove(worker)
                    question, count = worker.question, tried.get(id(worker.question), 0) + 1
                    if isinstance(result, Trouble) and worker.pipe.closed and count < question.tries:
                        tried[id(question)] = count
                        todo.appendleft(question)
                        continue
                    self._back(worker)
                    yield question, result
        finally:
            for worker in busy:
                worker.end(kill=True)

    def _given(self, question: Question) -> Worker:
        worker = self._idle(question.holds) if self.idle and not question.fresh else self._started()
        try:
            worker.give(question)
        except OSError:  # died while it had nothing to do
            worker.end(kill=True)
            worker = self._started()
            worker.give(question)
        return worker

    def _idle(self, holds: str) -> Worker:
        """One that has loaded this, or nothing yet; else a new one in place of another, for memory holds one each."""
        worker = next((one for one in reversed(self.idle) if one.holds in (holds, "")), None)
        if worker is not None:
            self.idle.remove(worker)
            return worker
        self.idle.pop().end()
        return self._started()

    def _started(self) -> Worker:
        here, there = self.context.Pipe()
        process = self.context.Process(target=work, args=(there, self.threads), daemon=True)
        process.start()
        there.close()
        return Worker(process, here)

    def _back(self, worker: Worker) -> None:
        if worker.pipe.closed:
            return
        if worker.question.fresh:
            worker.end()
        else:
            worker.question = None
            self.idle.append(worker)

    def _heard(self, busy: Sequence[Worker]) -> Iterator[tuple[Worker, Any]]:
        """Workers that are done, with what they gave. Waits a moment; news and signs of life are taken in here."""
        ends: dict[Any, Worker] = {end: worker for worker in busy for end in (worker.pipe, worker.process.sentinel)}
        for worker in {id(ends[end]): ends[end] for end in wait(list(ends), timeout=0.2)}.values():
            try:
                kind, content = worker.heard_from()
            except (EOFError, OSError):
                worker.end()
                yield worker, Trouble(death(worker.process.exitcode))
                continue
            except Exception as error:  # of a class in a method's file, say
                yield worker, Trouble(f"answered what nobody else knows: {type(error).__name__}: {error}")
                continue
            if kind == "log":
                logging.getLogger(content[0]).log(content[1], "%s", content[2])
            elif kind == "raise":
                raise content
            elif kind == "answer":
                yield worker, content
        for worker in [worker for worker in busy if worker.overdue and not worker.pipe.closed]:
            worker.end(kill=True)
            yield worker, Trouble(f"gave no sign of life within {worker.question.seconds:g} s, and was killed.")


def death(exitcode: int | None) -> str:
    """Why a process is no more, as a sentence."""
    if exitcode is None or exitcode >= 0:
        return f"left its process with exit code {exitcode}, in the middle of its work."
    name = signal.Signals(-exitcode).name if -exitcode in list(signal.Signals) else "unknown"
    likely = {"SIGKILL": ", probably out of memory", "SIGSEGV": ", a crash of the interpreter or of a library"}
    return f"was killed by signal {-exitcode} ({name}){likely.get(name, '')}."
