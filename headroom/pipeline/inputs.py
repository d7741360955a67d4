"""What a model is made from that lies outside the project: noted by content at every run, since DVC cannot watch it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from headroom.config.model_spec import ModelSpec
from headroom.config.params import Params
from headroom.config.tasks import Task, load_task
from headroom.data.hub import commit_of
from headroom.data.loading import data_folder, splits_of_hub
from headroom.digests import contents, file_hash
from headroom.errors import UserError
from headroom.models.sources import local_folder


def note(params: Params) -> None:
    """Write ``<work>/inputs/<model>.json``: a dep of the stage ``prepare``, which so sees that local data changed."""
    folder = params.work / "inputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, spec in params.models.items():
        text = json.dumps(inputs(spec, params.data), indent=1, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def inputs(spec: ModelSpec, data: Path | None) -> dict[str, Any]:
    """SHA-256 of every local file behind a model and its tasks, and the commits of what comes from the Hub.

    Raises ``UserError`` for a folder that is not there.
    """
    source = spec.source
    return {
        "model": contents(local_folder(spec, data)) if source.folder else commit(source.hub, source.revision, "model"),
        "tasks": {name: of_task(load_task(name), data_folder(data)) for name in spec.reads},
    }


def of_task(task: Task, folder: Path | None) -> dict[str, str]:
    """The parquet files of a task that are read from a folder, and the commit of its data set on the Hub."""
    files = task.data.folder if folder is not None else None
    local = {split: file_hash(folder / file) for split, file in (files or {}).items() if folder}
    return local | commit(task.data.hub if splits_of_hub(task, folder) else None, task.data.revision, "dataset")


def commit(name: str | None, revision: str | None, kind: str) -> dict[str, str]:
    """What a branch or tag is now. Where nobody says so, ``prepare`` will be told why, and this is not the place."""
    if name is None:
        return {}
    try:
        return {"commit": commit_of(name, str(revision), kind)}
    except UserError:
        return {"commit": "unknown"}
