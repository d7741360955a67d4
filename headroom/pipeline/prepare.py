"""Makes a dense model ready: trains or fetches it, writes its data splits, and notes the facts of both."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from headroom.config.model_spec import ModelSpec, load_spec
from headroom.config.tasks import Task, load_task
from headroom.data.apart import data_hash
from headroom.data.classes import names_in
from headroom.data.columns import check_labels
from headroom.data.guessing import chance
from headroom.data.loading import load_splits, origin
from headroom.data.words import quiet
from headroom.digests import contents, file_hash
from headroom.drafts import whole
from headroom.errors import UserError
from headroom.measure import devices
from headroom.measure.clock import Stopwatch
from headroom.models.fitting import troubles
from headroom.models.heads import begun, keep_beginning, to_train
from headroom.models.loading import classes_of, purpose_of
from headroom.models.saving import save
from headroom.models.snapshots import digests, pinned, sightings
from headroom.models.sources import Source
from headroom.pipeline import engine
from headroom.pipeline.distilled import distilled, in_words, sentences
from headroom.pipeline.making import make
from headroom.pipeline.model_run import SEEN, changes, noted, seen_before

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from datasets import Dataset

    from headroom.data.contract import Contract

    Splits = dict[str, Dataset]


def prepare(
    name: str,
    spec: ModelSpec | dict[str, Any],
    folder: Path,
    data_dir: Path | None = None,
    threads: int = 2,
    device: str = "cpu",
) -> dict[str, Any]:
    """Write ``model/``, ``data/<task>/{calibrate,evaluate}.parquet``, ``prepare.json`` and ``cost.json`` to ``folder``,
    and ``checkpoints/`` where the training names some.

    A pretrained model that is not trained here stays where it is: ``prepare.json`` names its commit and the hashes of
    its files, ``seen.json`` when they were read. Everything but that and ``cost.json`` (seconds) is bit for bit the
    same for the same spec, data, versions, threads and kind of ``device``, on which it is trained. The folder appears
    whole or not at all. Returns what is in ``prepare.json``. Raises ``UserError`` for a wrong spec, missing data, or
    weights that cannot be had.
    """
    spec = pinned(spec if isinstance(spec, ModelSpec) else load_spec(name, spec))
    threads = (spec.train.threads if spec.train else None) or threads
    torch.set_num_threads(threads)
    tasks, first = {task: load_task(task) for task in spec.tasks}, spec.tasks[0]
    purpose = purpose_of(spec)
    splits = {task: load_splits(tasks[task], data_dir) for task in tasks}
    lent = spec.distil and sentences(spec.distil, tasks[first], splits[first], data_dir, f"params.yaml: models.{name}")
    named = {task: names_in(tasks[task], splits[task]) for task in tasks}
    fits = partial(troubles, spec, list(tasks.values()), f"params.yaml: models.{name}", data_dir, named)
    source = Source.of(spec, data_dir) if spec.source.config is None else None
    if source is not None:
        if spec.train is None and not source.there:
            fits(source).settle()  # by its small files, before gigabytes are fetched
        source = source.fetched()
        if spec.train is not None:
            source = to_train(source, tasks[first], named[first])
    files = digests(source.folder, seen_before(folder)) if source else {}
    if spec.train is not None:
        devices.check(device)
    read = splits | ({f"distil.{spec.distil.task}": {"train": lent}} if spec.distil and lent else {})
    recipe = recipe_hash(spec, tasks, read, files, threads, device)
    if known := prepared_with(folder, recipe, data_dir):
        logger.info("%s: prepared already", name)
        return known
    fits(source).settle()
    for task in tasks if "classification" in purpose else ():
        check_labels(splits[task], tasks[task], *classes_of(spec, source))
    stays = source if spec.train is None else None
    origins = {name: _origins(spec, source, task, splits[name], data_dir) for name, task in tasks.items()}
    with whole(folder) as draft, quiet():
        with Stopwatch() as watch:
            model, contract, losses = make(spec, tasks[first], splits[first], name, source, named, device, draft)
        if spec.distil and lent and source:
            splits[first]["train"] = distilled(source.model(purpose), contract, spec, tasks[first], lent)
            origins[first]["train"] = in_words(spec.distil, len(splits[first]["train"]))
        if stays:
            _write(draft / SEEN, sightings(stays.folder, files))
        else:
            save(draft / "model", model, contract, list(tasks.values()))
        if source and spec.train:
            keep_beginning(begun(source, purpose, spec.train), draft)
        for task in tasks:
            _write_splits(draft / "data" / task, splits[task])
        facts = {
            "name": name,
            "files": contents(draft),
            "purpose": purpose,
            "family": model.config.model_type,
            "parameters": model.num_parameters(),
            "dtype": str(model.dtype).removeprefix("torch."),
            "spec": spec.model_dump(mode="json"),
            "recipe": recipe,
            "loss_curve": losses,
            "source": {"commit": spec.source.revision, "files": files} if stays else None,
            "weight_hash": weight_hash(files if stays else digests(draft / "model")),
            "threads": threads,
            "versions": _versions(),
            "tasks": {
                task: _task_facts(tasks[task], splits[task], tasks[first], splits[first], contract, origins[task])
                for task in tasks
            },
        }
        _write(draft / "cost.json", {"seconds": round(watch.seconds, 1)})
        _write(draft / "prepare.json", facts)
    return facts


def recipe_hash(
    spec: ModelSpec,
    tasks: dict[str, Task],
    splits: dict[str, Splits],
    model: dict[str, str],
    threads: int,
    device: str = "cpu",
) -> str:
    """All that a prepared model depends on, in 64 hex digits: what was asked, the data, the code and its versions."""
    everything = {
        "spec": spec.model_dump(mode="json"),
        "tasks": [task.model_dump(mode="json", exclude={"data"}) for task in tasks.values()],
        "data": {task: data_hash(dict(found)) for task, found in splits.items()},
        "model": model,
        "engine": file_hash(*engine.files(engine.PREPARED + (engine.DISTILLED if spec.distil else ()))),
        "threads": threads,
        "device": devices.kind(device) if spec.train else "",  # one that came trained is the same everywhere
        "versions": _versions(),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def prepared_with(folder: Path, recipe: str, data_dir: Path | None = None) -> dict[str, Any] | None:
    """What is in ``prepare.json`` where the folder holds a model of this recipe, whole and as it was written."""
    try:
        facts = noted(folder)
    except UserError:
        return None
    if facts["recipe"] != recipe:
        return None
    if changed := changes(folder, facts, data_dir):
        logger.warning("%s: %s since it was prepared; it is made again", folder, changed)
        return None
    return facts


def _write_splits(folder: Path, splits: Splits) -> None:
    folder.mkdir(parents=True)
    for split, examples in splits.items():
        examples.to_parquet(folder / f"{split}.parquet")


def _origins(
    spec: ModelSpec, source: Source | None, task: Task, splits: Splits, data_dir: Path | None
) -> dict[str, str]:
    """Where the model came from, if it came trained, and the examples, in words; of the Hub's with their commits."""
    folder = spec.source.folder  # as it is called in the params: where it is on this machine is nobody's business
    from_where = {} if source is None else {"model": f"folder {folder}" if folder else str(source)}
    return from_where | {"data": splits["evaluate"].info.description if task.lm_eval else origin(task, data_dir)}


def _task_facts(
    task: Task, splits: Splits, first: Task, seen: Splits, contract: Contract, origins: dict[str, str]
) -> dict[str, Any]:
    level = chance(task, splits, first, seen, contract.tokenizer)
    return {
        "classes": contract.named[task.name],
        "contract": contract.stated(task) | origins,
        "version": task.version,
        "evaluator": task.evaluator,
        "metric": task.metric.model_dump(mode="json") | {"chance": level},
        "chance_is": task.metric.chance if isinstance(task.metric.chance, str) else "given",
        "examples": {name: len(split) for name, split in splits.items()},
        "data_hash": data_hash({name: splits[name] for name in ("calibrate", "evaluate")}),
        "train_hash": data_hash({name: splits[name] for name in ("train",) if name in splits}),
    }


def weight_hash(files: dict[str, str]) -> str:
    """SHA-256 over those of the safetensors files, in the order of their names."""
    whole = hashlib.sha256()
    for file in sorted(files):
        if file.endswith(".safetensors"):
            whole.update(bytes.fromhex(files[file]))
    return whole.hexdigest()


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    packages = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "scikit-learn")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
