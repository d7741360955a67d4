"""What a model is made from that lies outside the project: noted by content at every run, since DVC cannot watch it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from headroom.config.model_spec import ModelSpec
from headroom.config.params import Params
from headroom.config.tasks import Task, load_task
from headroom.data.loading import data_folder
from headroom.models.sources import local_folder
from headroom.pipeline.provenance import contents, file_hash


def note(params: Params) -> None:
    """Write ``<work>/inputs/<model>.json``: a dep of the stage ``prepare``, which so sees that local data changed."""
    folder = params.work / "inputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, spec in params.models.items():
        text = json.dumps(inputs(spec, params.data), indent=1, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def inputs(spec: ModelSpec, data: Path | None) -> dict[str, Any]:
    """SHA-256 of every local file behind a model and its tasks. Raises ``UserError`` for a folder that is not there."""
    return {
        "model": contents(local_folder(spec, data)) if spec.source.folder is not None else {},
        "tasks": {name: local_files(load_task(name), data_folder(data)) for name in spec.tasks},
    }


def local_files(task: Task, folder: Path | None) -> dict[str, str]:
    """The parquet files of a task that are read from a folder; those of the Hub are named by their commit."""
    files = task.data.folder if folder is not None else None
    return {split: file_hash(folder / file) for split, file in (files or {}).items() if folder}
