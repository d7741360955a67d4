"""What a profile needs from the Hub and from packages, fetched at once, so that the rest needs no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headroom.config.model_spec import ModelSpec
from headroom.config.params import Params
from headroom.config.tasks import Task, load_task
from headroom.data import hub
from headroom.data.loading import data_folder, load_splits, splits_of_hub
from headroom.errors import UserError
from headroom.models.snapshots import pinned
from headroom.models.sources import Source


@dataclass(frozen=True)
class Wanted:
    """One thing to fetch, under the name by which it is told of."""

    name: str
    fetch: Callable[[], str]  # says what came of it; raises ``UserError``


def wanted(params: Params) -> list[Wanted]:
    """All that has to come from elsewhere: models first, each with its tasks behind them, once."""
    models = [
        Wanted(f"models.{name}", partial(_model, spec, params.data))
        for name, spec in params.models.items()
        if spec.source.config is None and spec.source.folder is None
    ]
    names = dict.fromkeys(task for spec in params.models.values() for task in spec.reads)
    return models + [one for name in names for one in _of_task(load_task(name), params.data)]


def _of_task(task: Task, data: Path | None) -> Iterator[Wanted]:
    if task.lm_eval is not None:
        name = task.lm_eval.task
        yield Wanted(task.file, lambda: f"{len(load_splits(task, data))} splits of lm-eval's {name}")
    elif splits := splits_of_hub(task, data_folder(data)):
        yield Wanted(task.file, lambda: _rows(task, splits))


def _model(spec: ModelSpec, data: Path | None) -> str:
    source = Source.of(pinned(spec), data).fetched()
    size = sum(path.stat().st_size for path in source.folder.iterdir() if path.is_file())
    return f"{source}, {size / 1e9:.2f} GB" + (_renamed(spec.source.hub, "model") if spec.source.hub else "")


def _rows(task: Task, splits: list[str]) -> str:
    name, revision = str(task.data.hub), str(task.data.revision)
    try:
        counts = {split: len(hub.rows(task.data, split)) for split in splits}
        commit = hub.commit_of(name, revision, "dataset")
    except UserError as error:
        raise UserError(f"{task.file}: {error}") from None
    said = ", ".join(f"{count:,} examples of {split}" for split, count in counts.items())
    return f"{name} at {commit}, {said}" + _renamed(name, "dataset")


def _renamed(name: str, kind: str) -> str:
    now = hub.name_now(name, kind)
    return "" if now == name else f". The Hub calls it {now} now: say so in the file"
