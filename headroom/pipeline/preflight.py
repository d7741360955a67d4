"""Everything that can be said about a profile before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headroom.config.params import Params, load
from headroom.config.project import FOLDERS, check_folders, profiles, root
from headroom.config.registry import file_of, load_method
from headroom.config.tasks import Task, load_task
from headroom.data.loading import data_folder
from headroom.digests import file_hash
from headroom.errors import UserError, suggest
from headroom.evaluate.sacre import check_task
from headroom.measure.machine import cores
from headroom.pipeline import engine
from headroom.pipeline.asking import Question
from headroom.pipeline.journal import Journal
from headroom.pipeline.workers import Workers
from headroom.pipeline.working import Trouble

logger = logging.getLogger(__name__)
CROWD = 8  # threads a core: results of a larger machine can still be made again here, slowly


def preflight(params_file: Path) -> Params:
    """The checked params. Raises ``UserError`` for the first thing that would stop the run, or make it wrong, later."""
    params = load(params_file)
    if "recover" not in params.model_fields_set:  # DVC watches the key, and refuses a file without it in other words
        raise UserError(f"{params_file}: recover: this key is missing; add the line `recover: {{}}`, or a recovery.")
    check_apart(params, params_file)
    check_threads(params, str(params_file))
    tasks = {name: load_task(name) for spec in params.models.values() for name in spec.reads}
    for name in params.models:
        check_purpose(params, name, str(params_file))
    for task in tasks.values():
        check_task(task)
        refuse_missing_data(task, params)
    check_methods(params, str(params_file))
    for name, recover in params.recover.items():
        recover.check(f"{params_file}: recover.{name}.kind is {recover.kind}")
    return params


def check_apart(params: Params, params_file: Path) -> None:
    """Look whether this profile writes where another one does, unless that was in order before, with the same files."""
    journal, code = Journal(params.work / "journal"), engine.files(("headroom/config/project.py",))
    files = [file for file in (params_file, *(root() / file for file in profiles())) if file.is_file()]
    path = journal.path("folders", {"file": params_file.resolve(), "profiles": file_hash(*files, *code)})
    if not path.exists():
        check_folders(params_file, params.model_dump(include={"profile", *FOLDERS}))
        journal.write(path, {"in order": True})


def check_threads(params: Params, where: str) -> None:
    """Threads that have no core to run on slow each other down; where there are far too many, nothing ends."""
    most = CROWD * cores()
    asked = {"run.threads": params.run.threads, "run.workers": params.run.workers}
    asked |= {f"models.{name}.train.threads": spec.train.threads for name, spec in params.models.items() if spec.train}
    for key, count in asked.items():
        if (count or 1) > most:
            raise UserError(
                f"{where}: {key} is {count}; this machine has {cores()} cores, and {most} is the most here."
            )


def check_purpose(params: Params, name: str, where: str) -> None:
    """Raises ``UserError`` for tasks of one model that need different ones, or that cannot be fed or timed as it is."""
    spec, place = params.models[name], f"{where}: models.{name}"
    purposes = {task: load_task(task).purpose for task in spec.tasks}
    purpose = purposes[spec.tasks[0]]
    for task, other in purposes.items():
        if other != purpose:
            raise UserError(f"{place}.tasks: {spec.tasks[0]} needs a model for {purpose}, {task} one for {other}.")
    if spec.source.config is not None and (spec.tokenizer.kind == "none") != (purpose == "image-classification"):
        wanted = "images are not split into words; leave it out" if spec.tokenizer.size else "texts need one; add it"
        raise UserError(f"{place}.tokenizer: {wanted}. Models for {purpose} are made here.")


def check_models(params: Params, where: str) -> None:
    """Raises ``UserError`` with all that keeps any model from being pruned here, or from its tasks. Imports torch."""
    from headroom.models.fitting import Findings, troubles

    found = Findings()
    for name, spec in params.models.items():
        found += troubles(spec, [load_task(task) for task in spec.tasks], f"{where}: models.{name}", params.data)
    found.settle()


@dataclass(frozen=True)
class EntryQuestion(Question):
    """Can the method behind an entry of params.yaml be loaded, with the parameters that it is given?"""

    name: str
    entry: dict[str, Any]
    where: str
    limit: float

    fresh = True

    @property
    def seconds(self) -> float:
        return self.limit

    def answer(self) -> None:
        load_method(self.name, self.entry, self.where)


def check_methods(params: Params, where: str) -> None:
    """Load every method once, each in a process of its own: a file that ends its interpreter ends that process alone.

    What was in order before is not loaded again. Raises ``UserError`` for an entry whose name or parameters are wrong.
    """
    journal = Journal(params.work / "journal")
    unknown = {path: question for path, question in entries(params, where, journal) if not path.exists()}
    if not unknown:
        return
    paths = {question.name: path for path, question in unknown.items()}
    with Workers(1, 1) as workers:
        for question, answer in workers.ask(list(unknown.values())):
            if isinstance(answer, Trouble):
                logger.warning("%s %s Its cells will fail; the others run.", question.where, answer.reason)
            else:
                journal.write(paths[question.name], {"in order": True})


def entries(params: Params, where: str, journal: Journal) -> Iterator[tuple[Path, EntryQuestion]]:
    """The question for every entry, with where the journal notes that it is in order."""
    code = file_hash(*engine.files(engine.DECLARED))
    for name in params.methods:
        entry, place = params.entry(name), f"{where}: methods.{name}"
        depends = {"file": file_hash(file_of(name, entry, place)), "entry": entry, "name": name, "engine": code}
        question = EntryQuestion(name, entry, place, params.run.plan_seconds)
        yield journal.path("entries", depends), question


def refuse_missing_data(task: Task, params: Params) -> None:
    """Local data that is named and not there is found now and not after an hour of training."""
    folder = data_folder(params.data)
    if not task.data.folder or task.data.hub or task.lm_eval:  # the last are looked for on the Hub otherwise
        return
    for split, text in task.splits.named().items():
        name = text.partition("[")[0]
        if name not in task.data.folder:
            raise UserError(f"{task.file}: splits.{split} names {name!r}. {suggest(name, task.data.folder)}")
    if folder is None:
        first = min(task.data.folder.values())
        raise UserError(f"{task.file}: needs local data. Set HEADROOM_DATA to the folder that holds {first}.")
    for file in task.data.folder.values():
        if not (folder / file).is_file():
            raise UserError(
                f"{task.file}: {folder / file} is not there. Set HEADROOM_DATA to the folder that holds {file}."
            )
