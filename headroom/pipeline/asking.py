"""Questions and answers: what can be worked out elsewhere, and what every pool of workers offers to whoever asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from headroom.pipeline.working import Trouble


class Question:
    """Something to be worked out elsewhere. It is pickled, so it holds names and numbers and no model."""

    @property
    def seconds(self) -> float | None:
        """How long a worker may go without a sign of life; None for as long as it likes."""
        return None

    @property
    def fresh(self) -> bool:
        """Whether it gets a process of its own, which ends with it; else processes stay, with what they have loaded."""
        return False

    @property
    def tries(self) -> int:
        """How often it is asked where the worker dies of it."""
        return 1

    @property
    def holds(self) -> str:
        """What a worker has loaded afterwards, by name: it is given no question about anything else."""
        return ""

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders of the project that a worker needs, beside its code."""
        return ()

    def written(self, answer: Any) -> tuple[Path, ...]:
        """Files of the project that the answer speaks of, and that were written where it was worked out."""
        return ()

    def answer(self) -> Any:
        """Called in the worker. What it gives is pickled as well."""
        raise NotImplementedError


class Pool(Protocol):
    """Workers, wherever they are. Leave the ``with`` block to end them."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def ask(self, questions: Sequence[Question] | deque[Question]) -> Iterator[tuple[Any, Any]]:
        """(question, its answer or ``Trouble``) as they come, each question once.

        A ``deque`` may grow while answers come. A question whose worker died is given to another one until it was
        tried as often as it may be. Raises ``UserError``, ``OSError`` or ``MemoryError`` that a worker raised: they
        are no answer, and end the run.
        """


def one(pool: Pool, question: Question) -> Any:
    """The answer to a single question of the harness's own. Trouble with it is a bug, with the worker's trace."""
    ((_, answer),) = pool.ask([question])
    if isinstance(answer, Trouble):
        raise RuntimeError(f"{answer.reason}\n{answer.trace}")
    return answer


def taken(todo: deque[Question], holds: str) -> Question:
    """The next question for a worker that has something loaded: the first about that, and else the first of all."""
    if not todo[0].fresh:
        for place, question in enumerate(todo):
            if question.holds == holds and not question.fresh:
                del todo[place]
                return question
    return todo.popleft()
