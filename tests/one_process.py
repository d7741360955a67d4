"""A pool without processes, for tests of what comes out of a run and not of who worked on it: seconds become tenths."""

from __future__ import annotations

import pickle
from collections import deque
from contextlib import contextmanager
from unittest.mock import patch

from headroom.pipeline import measure, plans
from headroom.pipeline.bench import bench_of
from headroom.pipeline.context import HarnessContext
from headroom.pipeline.working import answered


def sent(thing):
    """A thing as it comes out of a pipe."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - what this process pickled itself


class Here:
    """Answers every question in this process, in order."""

    def __enter__(self):
        bench_of.cache_clear()  # folders are named from the working directory, which every test has its own of
        return self

    def __exit__(self, *error):
        bench_of.cache_clear()

    def ask(self, questions):
        todo = questions if isinstance(questions, deque) else deque(questions)
        while todo:
            question = todo.popleft()
            kind, content = answered(sent(question).answer)
            if kind == "raise":
                raise content
            yield question, sent(content)


class Lending(HarnessContext):
    """No process ends with the plans here, so a method gets a copy of the model."""

    def __init__(self, *given, lent=False, **named):
        super().__init__(*given, lent=False, **named)


@contextmanager
def in_one_process():
    """Inside the block the stage ``measure`` starts no process."""
    with patch.object(measure, "crew", lambda *_: Here()), patch.object(plans, "HarnessContext", Lending):
        yield
