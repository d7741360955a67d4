"""The journal of a whole profile, filled ahead: all its models at once, each method at its own pace.

The stage ``measure`` goes model by model, and from plans to points when the last plan is there. Many workers would wait
for the slowest method of the model at hand. Here the answer to one question brings the next ones, of whichever model;
``dvc repro`` then finds every answer in the journal and only assembles. What fails is asked again by it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headroom.config.params import Params
from headroom.pipeline.asking import Question
from headroom.pipeline.cell import Cell, dense_questions
from headroom.pipeline.crew import crew, engine
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.progress import Progress, progress
from headroom.pipeline.questions import DeclaredQuestion, OfferedQuestion, PlanQuestion, PointQuestion
from headroom.pipeline.sizing import sized
from headroom.pipeline.working import Trouble

logger = logging.getLogger(__name__)


def run(params: Params, where: str, workers: int | None = None) -> int:
    """Fill the journal as far as it goes; gives how many answers could not be had.

    Raises ``UserError`` for a model that is not prepared, and ``OSError`` where the disk is full.
    """
    with engine(params) as settled:
        runs = [ModelRun(settled, where, model) for model in params.models]
        for one in runs:
            one.refuse_changes()
        with crew(runs, workers) as pool, progress(params.profile) as shown:
            for one in runs:
                one.tokens = sized(one, pool)
            asked = set[Path]()
            courses = {one.name: Course(one, asked, shown) for one in runs}
            todo: deque[Question] = deque(OfferedQuestion(one) for one in runs)
            shown.begin("ahead", len(todo))
            for question, answer in pool.ask(todo):
                courses[question.run.name].take(question, answer, todo)
        for course in courses.values():
            logger.info("%s", course)
        return sum(course.failed for course in courses.values())


class Course:
    """A model on its way from what can be removed, by plans, to points; each answer brings the next questions."""

    def __init__(self, run: ModelRun, asked: set[Path], shown: Progress) -> None:
        """``asked``: places in the journal that were looked for, of all models: two may be the same by content."""
        self.run, self.asked, self.shown = run, asked, shown
        self.cells: dict[str, Cell] = {}
        self.waiting: dict[str, int] = {}  # plans that a cell still waits for
        self.points = self.fresh = self.failed = 0

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.run.name}: {self.points} points, {self.fresh} new{failed}"

    def take(self, question: Any, answer: Any, todo: deque[Question]) -> None:
        """Keep an answer and put what it brings on the list: plans in front, for further questions hang on them."""
        before = len(todo)
        if isinstance(question, OfferedQuestion):
            self._offered(answer, todo)
        elif isinstance(question, DeclaredQuestion):
            self._declared(self.cells[question.method], answer, todo)
        elif isinstance(question, PlanQuestion):
            self._planned(self.cells[question.method], question, answer, todo)
        else:
            self._measured(question, answer)
        self.shown.more(len(todo) - before)
        self.shown.step(getattr(question, "method", "points"))

    def _offered(self, answer: Any, todo: deque[Question]) -> None:
        if isinstance(answer, Trouble):  # the harness's own code
            raise RuntimeError(f"{answer.reason}\n{answer.trace}")
        self.cells = {name: Cell(self.run, name) for name in self.run.params.methods}
        todo.extendleft(DeclaredQuestion(self.run, name, answer) for name in self.cells)
        self._look_for(dense_questions(self.run), todo)

    def _declared(self, cell: Cell, answer: Any, todo: deque[Question]) -> None:
        self.failed += isinstance(answer, Trouble)
        cell.declare(answer)
        questions = cell.recall()
        self.waiting[cell.name] = len(questions)
        todo.extendleft(questions)
        if not questions:
            self._points(cell, todo)

    def _planned(self, cell: Cell, question: PlanQuestion, answer: Any, todo: deque[Question]) -> None:
        cell.take(question, answer)
        self.failed += sum(len(cell.plans[seed]["missing"]) for seed in question.seeds)
        self.waiting[cell.name] -= 1
        if not self.waiting[cell.name]:
            self._points(cell, todo)

    def _points(self, cell: Cell, todo: deque[Question]) -> None:
        cell.complete()
        self.failed += bool(cell.trouble)
        self._look_for([asked.question for asked in cell.asked()], todo)

    def _look_for(self, questions: Iterable[PointQuestion], todo: deque[Question]) -> None:
        """Ask what the journal lacks, each place in it once."""
        for question in questions:
            path = question.path
            if path not in self.asked:
                self.asked.add(path)
                self.points += 1
                if self.run.journal.read(path) is None:
                    todo.append(question)

    def _measured(self, question: PointQuestion, answer: Any) -> None:
        if isinstance(answer, Trouble):
            self.failed += 1
            logger.warning("%s", answer.trace or f"{self.run.name}: {answer.reason}")
        else:
            self.fresh += 1
            self.run.journal.write(question.path, answer)
