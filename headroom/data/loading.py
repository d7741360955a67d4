"""Examples of a task: loads them from code, local files or the Hub, under our names, checks the splits."""

from __future__ import annotations

import io
import os
import runpy
import sys
import traceback
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task, part_of, tasks_folder
from headroom.data.apart import check_disjoint, without_overlap
from headroom.data.columns import normalised
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from datasets import Dataset


def data_folder(data_dir: Path | None) -> Path | None:
    """The folder of local data: as given, or else the environment variable HEADROOM_DATA."""
    named = data_dir or os.environ.get("HEADROOM_DATA")
    return Path(named) if named else None


def load_splits(
    task: Task, data_dir: Path | None = None, made_in: Path | None = None, train: bool = True
) -> dict[str, Dataset]:
    """The splits ``train`` (where the task has one), ``calibrate`` and ``evaluate`` with the columns of the evaluator.

    ``made_in`` is the folder above ``tasks/`` where a ``made`` file is looked up: the project unless given. Without
    ``train`` that split is left out: it may be the one that only the Hub has.
    Raises ``UserError`` when data are missing, a split or column is unknown, or splits overlap.
    """
    if task.lm_eval is None:
        splits = _sliced(task, data_folder(data_dir), made_in, train)
    else:
        from headroom.data.lm_eval_rows import frozen

        splits = frozen(task, lambda split: _given(task, split, data_folder(data_dir), made_in), train)
    if task.overlap == "drop":
        splits = without_overlap(splits, task)
    check_disjoint(splits, task)
    return splits


def read_split(folder: Path, task_name: str, split: str) -> Dataset:
    """A split as ``prepare`` wrote it to ``<folder>/data/<task>/<split>.parquet``."""
    sys.audit("headroom.read_split", str(folder))  # the library reads in C++, where the fence hears nothing
    return _parquet(folder / "data" / task_name / f"{split}.parquet")


def _sliced(task: Task, folder: Path | None, made_in: Path | None, train: bool) -> dict[str, Dataset]:
    whole: dict[str, Dataset] = {}
    splits = {}
    for name, text in task.splits.named().items():
        if name == "train" and not train:
            continue
        there, part = part_of(text)
        if there not in whole:
            whole.update(_load(task, there, folder, made_in))
        rows = range(len(whole[there]))[part]
        if not rows:
            raise UserError(f"{task.file}: splits.{name} is {text!r}, and no example is there.")
        splits[name] = normalised(whole[there].select(rows), task)
    return splits


def _given(task: Task, split: str, folder: Path | None, made_in: Path | None) -> Dataset | None:
    """The rows that a task file names beside lm-eval's task; None where lm-eval's own data set is meant."""
    local = folder is not None and split in (task.data.folder or {})
    return _load(task, split, folder, made_in)[split] if task.data.made or local else None


def _load(task: Task, split: str, folder: Path | None, made_in: Path | None) -> dict[str, Dataset]:
    if task.data.made:
        return _made(task, split, made_in or tasks_folder().parent)
    here = folder is not None and split in (task.data.folder or {})
    if here or task.data.hub is None:
        return {split: _local(task, split, folder)}
    return {split: _hub(task, split)}


def origin(task: Task, data_dir: Path | None = None) -> str:
    """Where the rows of a task come from, in words, with the commit of a data set of the Hub. Raises ``UserError``."""
    from headroom.data.hub import commit_of

    if task.data.made:
        return f"made by {task.data.made}"
    splits, there = named_splits(task), splits_of_hub(task, data_folder(data_dir))
    if not there:
        return "files in HEADROOM_DATA"
    hub = f"{task.data.hub} of the Hub at {commit_of(str(task.data.hub), str(task.data.revision), 'dataset')}"
    here = [split for split in splits if split not in there]
    return f"{hub}, and files in HEADROOM_DATA for {' and '.join(here)}" if here else hub


def named_splits(task: Task) -> list[str]:
    """The splits of the data that a task takes rows from."""
    return list(dict.fromkeys(text.partition("[")[0] for text in task.splits.named().values()))


def splits_of_hub(task: Task, folder: Path | None) -> list[str]:
    """Those that are read from the Hub, where ``folder`` is the one of local data."""
    here = task.data.folder or {} if folder else {}
    return [split for split in named_splits(task) if split not in here] if task.data.hub else []


def _made(task: Task, split: str, project: Path) -> dict[str, Dataset]:
    """Run ``make(seed)`` of the python file that a task names; all of its splits."""
    import pyarrow
    from datasets import Dataset

    path, where = project / str(task.data.made), f"{task.file}: data.made: {task.data.made}"
    if not path.is_file():
        raise UserError(f"{task.file}: data.made is {task.data.made!r}, and there is no such file.")
    try:
        made = _run(path, task.data.seed)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = f", line {lines[-1]}" if lines else ""
        raise UserError(f"{where}{line}: {type(error).__name__}: {error}") from error
    if not isinstance(made, dict) or not all(isinstance(row, dict) for rows in made.values() for row in rows):
        raise UserError(f"{where}: make(seed) gives no rows; wanted {{split: [{{column: value}}, ...]}}.")
    if split not in made:
        raise UserError(f"{task.file}: splits name {split!r}. {suggest(split, made)}")
    try:
        return {name: Dataset.from_list([_with_image(row) for row in rows]) for name, rows in made.items()}
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        raise UserError(f"{where}: a column holds values of several types ({error}).") from None


@lru_cache(maxsize=2)  # the tasks of a model often share a file
def _run(path: Path, seed: int) -> Any:
    make = runpy.run_path(str(path)).get("make")
    if make is None:
        raise AttributeError("make(seed) is missing; it returns the rows of every split.")
    return make(seed)


def _with_image(row: dict[str, Any]) -> dict[str, Any]:
    """Pixels as made (rows of 0 to 255) become a PNG, which every reader of the table understands."""
    if not isinstance(row.get("image"), list):
        return row
    import numpy
    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(numpy.asarray(row["image"], dtype="uint8")).save(png, format="PNG")
    return {**row, "image": {"bytes": png.getvalue(), "path": None}}


def _local(task: Task, split: str, folder: Path | None) -> Dataset:
    files = task.data.folder or {}
    if folder is None:
        raise UserError(f"{task.file} reads local files: set HEADROOM_DATA to the folder that holds {_first(files)}.")
    if split not in files:
        raise UserError(f"{task.file}: splits name {split!r}. {suggest(split, files)}")
    path = folder / files[split]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{task.file}: data.folder.{split} leads out of HEADROOM_DATA. Give a path inside it.")
    if not path.is_file():
        other = f", or unset it to fetch {task.data.hub} from the Hub" if task.data.hub else ""
        raise UserError(
            f"{task.file}: there is no {files[split]} in {folder}. "
            f"Set HEADROOM_DATA to the folder that holds it{other}."
        )
    return _parquet(path)


def _parquet(path: Path) -> Dataset:
    import pyarrow
    import pyarrow.parquet
    from datasets import Dataset
    from datasets.table import InMemoryTable

    try:
        return Dataset(InMemoryTable(pyarrow.parquet.read_table(path)))
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as parquet ({error}). Fetch or make it again.") from None


def _hub(task: Task, split: str) -> Dataset:
    from headroom.data import hub

    try:
        return hub.rows(task.data, split)
    except UserError as error:
        files = f" Or set HEADROOM_DATA to a folder that holds {_first(task.data.folder)}." if task.data.folder else ""
        raise UserError(f"{task.file}: {error}{files}") from None


def _first(files: dict[str, str] | None) -> str:
    return next(iter((files or {}).values()), "it")
