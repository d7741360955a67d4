"""What a translator without parallel texts can be fine-tuned on: sentences of another task, in its own translations.

So students are made of teachers (sequence-level distillation, Kim and Rush, arXiv:1606.07947): a removed model learns
to say again what the dense one says. It sees no reference, and the record says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset

from headroom.config.model_spec import DistilSpec, ModelSpec
from headroom.config.tasks import Task, load_task
from headroom.data.contract import Contract
from headroom.data.loading import load_splits
from headroom.errors import UserError
from headroom.evaluate.scores import Settings, as_found
from headroom.evaluate.translation import Translation

COLUMNS = ("source", "text")  # of a task that can lend its sentences


def sentences(distil: DistilSpec, task: Task, splits: dict[str, Dataset], data_dir: Path | None, where: str) -> Dataset:
    """Source sentences to translate, one column ``source``: none that ``task`` calibrates or is evaluated with.

    Raises ``UserError`` for a task that is no translation or has its own texts to train on, for one that has no
    sentences to lend, and for too few of them.
    """
    lender, key = load_task(distil.task), f"{where}.distil"
    if task.evaluator != "translation":
        raise UserError(f"{key}: {task.name} is no translation. Leave the key out, or name a translation first.")
    if "train" in splits:
        raise UserError(f"{key}: {task.file} has a train split. Leave the key out.")
    lent = load_splits(lender, data_dir).get("train")
    column = next((name for name in COLUMNS if lent is not None and name in lent.column_names), None)
    if lent is None or column is None:
        raise UserError(f"{key}.task: {lender.file} has no train split of sentences. Name a task that has one.")
    held = {row["source"] for name in ("calibrate", "evaluate") for row in splits[name]}
    found = [text for text in dict.fromkeys(lent[column]) if text not in held][: distil.examples]
    if len(found) < distil.examples:
        raise UserError(f"{key}.examples: {lender.name} has {len(found)} sentences to lend. Ask for no more.")
    return Dataset.from_dict({"source": found})


def distilled(model: Any, contract: Contract, spec: ModelSpec, task: Task, sources: Dataset) -> Dataset:
    """The train split: ``sources`` with what the model says to them, as it is decoded where it is scored.

    What it says nothing to is left out.
    """
    examples = [{"source": source, "target": source} for source in sources["source"]]
    settings = Settings.of(spec, contract.length)
    asked = Translation(task.name, examples, contract.collator(task), settings, task.metric)  # type: ignore[arg-type]
    with as_found(model):
        said = asked.translate(model)
    pairs = [(source, words) for source, words in zip(sources["source"], said, strict=True) if words.strip()]
    return Dataset.from_dict({"source": [one for one, _ in pairs], "target": [words for _, words in pairs]})


def in_words(distil: DistilSpec, count: int) -> str:
    """The train split as a record states it."""
    return f"{count} sentences of {distil.task}, in this model's own translations: no reference was seen"
