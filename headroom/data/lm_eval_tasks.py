"""lm-eval's own tasks by name: found without reading its fourteen thousand files, and made with documents of ours.

Import this lazily: lm-eval takes more than a second.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import lm_eval.tasks
import lm_eval.utils
from lm_eval.api.task import ConfigurableTask
from lm_eval.config.task import TaskConfig
from lm_eval.tasks import TaskManager
from lm_eval.tasks import _factory as factory

from headroom.config.lm_eval import MEASURES, LmEval
from headroom.config.tasks import Task
from headroom.errors import UserError, suggest

ROOT = Path(lm_eval.tasks.__file__).parent
NAMED = re.compile(rb"""^["']?(?:task|group)["']?[ \t]*:[ \t]*["']?([^\s"'#\[\]{}]+)""", re.MULTILINE)
SEED = 1234  # lm-eval's own default, by which it draws the solved examples
LIKE = 8  # near matches of fourteen thousand names

Documents = Mapping[str, Any]  # of a data set, by the name of a split; a split is loaded when it is asked for


class ServedTask(ConfigurableTask):
    """A task of lm-eval's whose documents are served: the data set that it names is not loaded by itself."""

    serve: ClassVar[Callable[[TaskConfig], Documents]]
    shots: ClassVar[int | None]  # as the task file says; None: as lm-eval's does

    def download(self, *_: Any, **__: Any) -> None:
        """What lm-eval calls to have its data set."""
        self.dataset = type(self).serve(self.config)

    def fewshot_docs(self) -> Any:
        """Where no solved example is shown, the split that they come from need not be there."""
        shown = self.config.num_fewshot if self.shots is None else self.shots
        return super().fewshot_docs() if shown else None


@dataclass(frozen=True)
class Members:
    """The tasks behind a name: one, or those of a group."""

    tasks: dict[str, Any]  # ServedTask by lm-eval's name
    by_size: bool  # whether a group counts every document alike, or else every task
    version: str


def members(task: Task, kind: type[ServedTask]) -> Members:
    """lm-eval's tasks that a task file names, each of the class ``kind``.

    Raises ``UserError`` for a name that lm-eval does not know, a task that cannot be scored here, and one without the
    metric or filter that the file names.
    """
    how, where = settings(task), f"{task.file}: lm_eval"
    with quiet():
        index = manager(how.task)
        if index is None:
            raise UserError(f"{where}.task is {how.task!r}, which lm-eval does not know. {near(how.task)}")
        with told(task, "makes it"), built_as(kind):
            found = index.load([how.task])
    group = found.get("groups", {}).get(how.task)
    for name, one in found["tasks"].items():
        if said := refused(one):
            raise UserError(f"{where}.task is {how.task!r}, and {name} {said}, which is not scored here.")
        _settle(one, how, where)
    version = group.version if group else str(next(iter(found["tasks"].values())).VERSION)
    return Members(found["tasks"], _by_size(group, how, where), version)


def settings(task: Task) -> LmEval:
    """The section ``lm_eval`` of a task that has one."""
    assert task.lm_eval is not None
    return task.lm_eval


def refused(one: Any) -> str | None:
    """Why a task cannot be scored here, as the end of a sentence."""
    if not isinstance(one, ServedTask):
        return "is a program of its own"
    if getattr(one, "MULTIMODAL", False):
        return "has pictures or sounds"
    if getattr(one, "UNSAFE_CODE", False):
        return "runs code that the model writes"
    if (one.config.generation_kwargs or {}).get("do_sample") or one.config.repeats > 1:
        return "draws its answers"
    return None


def _settle(one: Any, how: LmEval, where: str) -> None:
    """Set the solved examples as lm-eval's command line does, and leave the filter that is asked for."""
    usual = one.config.num_fewshot
    if how.shots and usual == 0:
        raise UserError(f"{where}.shots is {how.shots}, and {one.task_name} is asked without solved examples; write 0.")
    one.set_config("num_fewshot", (usual or 0) if how.shots is None else how.shots)
    one.set_fewshot_seed(SEED)
    if how.metric not in one.aggregation():
        raise UserError(f"{where}.metric is {how.metric!r}. {one.task_name} has: {', '.join(one.aggregation())}.")
    filters = {each.name: each for each in one._filters}
    if how.filter is None and len(filters) > 1:
        raise UserError(f"{where}.filter: this key is missing; {one.task_name} has {', '.join(filters)}.")
    if how.filter is not None and how.filter not in filters:
        raise UserError(f"{where}.filter is {how.filter!r}. {suggest(how.filter, filters)}")
    one._filters = [filters[how.filter or next(iter(filters))]]


def _by_size(group: Any, how: LmEval, where: str) -> bool:
    if group is None:
        return True
    if MEASURES[how.metric][1] == "lower":
        raise UserError(f"{where}.metric is {how.metric!r}, which a group has none of. Name one of its tasks.")
    for measure in group.aggregate_metric_list or ():
        if measure.metric == how.metric and measure.aggregation == "mean":
            return bool(measure.weight_by_size)
    known = ", ".join(measure.metric for measure in group.aggregate_metric_list or ()) or "none"
    raise UserError(
        f"{where}.metric is {how.metric!r}. The group {group.name} has of its own: {known}. Or name one of its tasks."
    )


@lru_cache(maxsize=8)
def manager(name: str) -> TaskManager | None:
    """An index of lm-eval's that has the name, and all that a group of that name is made of; None: it has none.

    Reading all of lm-eval's tasks takes eight seconds. Those of one folder are read first, which mostly is enough.
    """
    folder = _folder_like(name) or _places().get(name)
    if folder is None:
        return None
    index = TaskManager(include_path=str(ROOT / folder), include_defaults=False)
    return index if _whole(index, name) else TaskManager()


def _folder_like(name: str) -> str | None:
    """The folder of tasks that is called as the name begins, where it defines the name."""
    parts = name.split("_")
    for count in range(len(parts), 0, -1):
        folder = ROOT / "_".join(parts[:count])
        files = folder.rglob("*.yaml") if folder.is_dir() else ()
        if any(name.encode() in NAMED.findall(file.read_bytes()) for file in files):
            return folder.name
    return None


@lru_cache(maxsize=1)
def _places() -> dict[str, str]:
    """Every task and group of lm-eval's, with the folder it is in."""
    places: dict[str, str] = {}
    for file in sorted(ROOT.rglob("*.yaml")):
        for name in NAMED.findall(file.read_bytes()):
            places.setdefault(name.decode(errors="replace"), file.relative_to(ROOT).parts[0])
    return places


def near(name: str) -> str:
    """Names of lm-eval's that are like this one. What marks tasks (`tag`) is no name: it has no score of its own."""
    begins = [other for other in _places() if other[:2] == name[:2]]  # the near of fourteen thousand take seconds
    alike = get_close_matches(name, begins, n=LIKE)
    did = f"Did you mean {', '.join(alike)}? " if alike else ""
    return f"{did}`lm_eval ls groups` and `lm_eval ls subtasks` list what it knows."


def _whole(index: TaskManager, name: str) -> bool:
    """Whether all that a group is made of, and what that is made of, is in the index."""
    entry = index.task_index.get(name)
    if entry is None:
        return False
    inside = (entry.cfg or {}).get("task") if entry.kind.name == "GROUP" else ()
    names = (one if isinstance(one, str) else one.get("task") or one.get("group") for one in inside or ())
    return all(isinstance(one, str) and _whole(index, one) for one in names)


@contextmanager
def built_as(kind: type[ServedTask]) -> Iterator[None]:
    """lm-eval's factory makes tasks of a class of ours: it takes none, and a group hands what it does take to its own.

    So all that lm-eval makes of groups, of what they override and of what is marked, stays as it is.
    """
    usual = factory.ConfigurableTask
    factory.ConfigurableTask = kind
    try:
        yield
    finally:
        factory.ConfigurableTask = usual


@contextmanager
def compiled_once() -> Iterator[None]:
    """lm-eval compiles the template of a task anew for each document and each solved example: most of its time."""
    environment = lm_eval.utils.env
    environment.from_string = lru_cache(maxsize=256)(environment.from_string)
    try:
        yield
    finally:
        del environment.from_string


@contextmanager
def told(task: Task, doing: str) -> Iterator[None]:
    """Turns what goes wrong in lm-eval's code, and in that of its many contributors, into a sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(". ")
        where = f"{task.file}: lm_eval.task is {settings(task).task!r}"
        raise UserError(f"{where}, and lm-eval breaks where it {doing}: {said}.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """lm-eval warns about every model object and every in-memory data set; keep its errors only."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
