"""The stage ``measure``: every method of a profile on one model. Plans first, then every point, then a record a cell.

Only what the journal lacks is asked of the workers, so a new or edited method costs its own plans and points. This
process keeps the books: it loads no model, imports no method, and so outlives whatever they do.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

from headroom.config.params import Params
from headroom.pipeline.asking import Pool, one
from headroom.pipeline.cell import Cell, dense_questions
from headroom.pipeline.crew import crew, engine
from headroom.pipeline.model_run import ModelRun
from headroom.pipeline.points import Scoring
from headroom.pipeline.progress import Progress, headline, progress
from headroom.pipeline.questions import DeclaredQuestion, Offered, OfferedQuestion, PointQuestion
from headroom.pipeline.recording import forget, recorded
from headroom.pipeline.sizing import sized
from headroom.pipeline.working import Trouble
from headroom.results.records import CellRecord

logger = logging.getLogger(__name__)


def run(params: Params, where: str, model: str, workers: int | None = None) -> list[CellRecord]:
    """Measure every method of the profile on a model; gives the records, in the order of the profile.

    Raises ``UserError`` for a model that is not prepared, and ``OSError`` where the disk is full.
    """
    forget(params, model)  # what failed on another model was said a moment ago
    with engine(params) as settled:
        this = ModelRun(settled, where, model)
        this.refuse_changes()
        with crew([this], workers) as pool, progress(model) as shown:
            this.tokens = sized(this, pool)
            offered: Offered = one(pool, OfferedQuestion(this))
            cells = declared(this, pool, offered)
            planned(cells, pool, shown)
            return measured(this, cells, pool, shown, offered.info.family)


def declared(run: ModelRun, pool: Pool, offered: Offered) -> list[Cell]:
    """A cell for every method, with what the method says of itself."""
    cells = {name: Cell(run, name) for name in run.params.methods}
    for question, answer in pool.ask([DeclaredQuestion(run, name, offered) for name in cells]):
        cells[question.method].declare(answer)
    return list(cells.values())


def planned(cells: list[Cell], pool: Pool, shown: Progress) -> None:
    """Ask for the plans that are not in the journal, each method in a process of its own."""
    by_name = {cell.name: cell for cell in cells}
    questions = [question for cell in cells for question in cell.recall()]
    shown.begin("plans", len(questions))
    for question, answer in pool.ask(questions):
        by_name[question.method].take(question, answer)
        shown.step(f"plans, {question.method}")
    for cell in cells:
        cell.complete()


def measured(run: ModelRun, cells: list[Cell], pool: Pool, shown: Progress, family: str) -> list[CellRecord]:
    """Measure what the journal lacks, and write each record as soon as all its points are there."""
    wanted = wanted_by(run, cells)
    missing = {path: question for path, question in wanted.questions.items() if run.journal.read(path) is None}
    broken: dict[Path, Trouble] = {}
    scoring = Scoring(run, broken)
    waiting = {cell.name: {path for path in wanted.paths[cell.name] if path in missing} for cell in cells}
    records: dict[str, CellRecord] = {}

    def finish() -> None:
        for cell in cells:
            if cell.name not in records and not waiting[cell.name]:
                record = records[cell.name] = recorded(cell, scoring, family)
                shown.cell(headline(record, len(record.points), cell.fresh))

    shown.begin("points", len(missing))
    finish()
    for question, answer in pool.ask(list(missing.values())):
        path = question.path
        if isinstance(answer, Trouble):
            broken[path] = answer
            logger.warning("%s", answer.trace or answer.reason)
        else:
            run.journal.write(path, answer)
        owner = wanted.owners.get(path)
        if owner:
            owner.fresh += 1
        for paths in waiting.values():
            paths.discard(path)
        shown.step(owner.name if owner else "dense")
        finish()
    return [records[cell.name] for cell in cells]


class Wanted:
    """Every measurement of a model, each once, which cells need which, and the first cell that has it as a point."""

    def __init__(self) -> None:
        self.questions: dict[Path, PointQuestion] = {}
        self.paths: dict[str, set[Path]] = defaultdict(set)
        self.owners: dict[Path, Cell] = {}


def wanted_by(run: ModelRun, cells: list[Cell]) -> Wanted:
    """The dense model of each setting comes first: every point is compared with it."""
    wanted = Wanted()
    for cell in cells:
        if not cell.within_reach:
            continue
        points = [asked.question for asked in cell.asked()]
        for question in [*dense_questions(run), *points]:
            wanted.questions.setdefault(question.path, question)
            wanted.paths[cell.name].add(question.path)
        for question in points:
            wanted.owners.setdefault(question.path, cell)
    return wanted
