"""The points of a cell, measured by several processes. They fill the journal; the record is then written as ever.

Each process has the profile's threads, because numbers differ between thread counts: this wins where that is one.
"""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from headroom.params import Params
from headroom.records import Setting
from headroom.stages.cell import Cell
from headroom.stages.points import RUN_ENDS, answer, determined_by, plans, settings
from headroom.starting import set_threads

logger = logging.getLogger(__name__)

Question = tuple[dict[str, Any], Setting, int]  # plan, setting, seed

_cell: Cell  # of a process of the pool


def measure_ahead(cell: Cell, jobs: int) -> None:
    """Measure what the journal lacks. A point that fails is left to the run itself, which says why."""
    todo = missing(cell)
    workers = min(jobs, len(todo))
    if workers < 2:  # a process costs seconds to start
        return
    names = (cell.params, cell.where, cell.name, cell.model_name)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), begin, names)
    with pool:
        waiting = [pool.submit(measured, question) for question in todo]
        for count, job in enumerate(as_completed(waiting), start=1):
            why = job.result()
            logger.info("%s on %s: %d of %d%s", cell.name, cell.model_name, count, len(todo), why and f", {why}")


def missing(cell: Cell) -> list[Question]:
    """Every measurement of the cell that is not in the journal, each once."""
    found: dict[str, Question] = {}
    for seed in cell.seeds:
        for plan in plans(cell, seed)["plans"]:
            for setting in settings(cell, plan):
                path = cell.journal.path("answers", determined_by(cell, plan, setting, seed))
                if not path.exists():
                    found.setdefault(path.name, (plan, setting, seed))
    return list(found.values())


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
