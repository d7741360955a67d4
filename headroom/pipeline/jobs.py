"""The points of a cell, measured by several processes. They fill the journal; the record is then written as ever.

Each process has the profile's threads, because numbers differ between thread counts: this wins where that is one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from headroom.config.params import Params
from headroom.pipeline.cell import Cell
from headroom.pipeline.points import RUN_ENDS, answer, determined_by
from headroom.pipeline.starting import set_threads
from headroom.results.records import Setting

logger = logging.getLogger(__name__)

Question = tuple[dict[str, Any], Setting, int]  # plan, setting, seed

_cell: Cell  # of a process of the pool


def measure_ahead(cell: Cell, questions: Sequence[Question], jobs: int) -> None:
    """Measure what the journal lacks. A point that fails is left to the run itself, which says why."""
    todo = missing(cell, questions) if jobs > 1 else []
    if len(todo) < 2:  # a process costs seconds to start
        return
    names = (cell.params, cell.where, cell.name, cell.model_name)
    with ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn"), begin, names) as pool:
        waiting = [pool.submit(measured, question) for question in todo]
        for count, job in enumerate(as_completed(waiting), start=1):
            why = job.result()
            logger.info("%s on %s: %d of %d%s", cell.name, cell.model_name, count, len(todo), why and f", {why}")


def missing(cell: Cell, questions: Sequence[Question]) -> list[Question]:
    """Every measurement that is not in the journal, each once."""
    paths = {cell.journal.path("answers", determined_by(cell, *question)): question for question in questions}
    return [question for path, question in paths.items() if not path.exists()]


def begin(params: Params, where: str, method: str, model: str) -> None:
    """Make a process ready: its threads, and the cell with its model."""
    global _cell
    set_threads(params.run.threads)
    _cell = Cell(params, where, method, model)


def measured(question: Question) -> str:
    """Leave one answer in the journal; gives a word on the failure of a broken model."""
    try:
        answer(_cell, *question)
    except RUN_ENDS:
        raise
    except Exception as error:
        return f"{type(error).__name__}; see the end of the run"
    return ""
