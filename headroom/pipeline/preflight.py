"""Everything that can be said about a profile before anything is computed."""

from __future__ import annotations

from pathlib import Path

from headroom.config.params import Params, load
from headroom.config.registry import load_method
from headroom.config.tasks import Task, load_task
from headroom.data.loading import data_folder
from headroom.errors import UserError


def preflight(params_file: Path) -> Params:
    """The checked params. Raises ``UserError`` for the first thing that would stop the run, or make it wrong, later."""
    params = load(params_file)
    for name, entry in params.methods.items():
        load_method(name, entry, f"{params_file}: methods.{name}")
    tasks = {name: load_task(name) for spec in params.models.values() for name in spec.tasks}
    for task in tasks.values():
        refuse_missing_data(task, params)
    return params


def refuse_missing_data(task: Task, params: Params) -> None:
    """Local data that is named and not there is found now and not after an hour of training."""
    folder = data_folder(params.data)
    if not task.data.folder or task.data.hub:
        return
    if folder is None:
        first = min(task.data.folder.values())
        raise UserError(f"{task.file}: needs local data. Set HEADROOM_DATA to the folder that holds {first}.")
    for file in task.data.folder.values():
        if not (folder / file).is_file():
            raise UserError(
                f"{task.file}: {folder / file} is not there. Set HEADROOM_DATA to the folder that holds {file}."
            )
