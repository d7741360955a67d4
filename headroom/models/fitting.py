"""Whether a model can be pruned here and fits its tasks: all that can be said before any work, each in a sentence.

``prepare``, ``prune`` and ``check params`` ask the same questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from headroom import attention
from headroom.config.model_spec import ModelSpec
from headroom.config.tasks import Task
from headroom.data.contract import longest
from headroom.data.processors import processor_for
from headroom.errors import UserError
from headroom.models.checking import check_config
from headroom.models.loading import Names, contract_of
from headroom.models.sources import Source

T = TypeVar("T")

COPIES = 3  # of the weights, while a point is measured: dense, removed, and the one that is masked


class Findings(list[str]):
    """Sentences about what is wrong; what needs an answer that could not be had is not asked."""

    def ask(self, question: Callable[..., T], *given: Any) -> T | None:
        """The answer, or None, with one more sentence."""
        try:
            return question(*given)
        except UserError as error:
            self.append(str(error))
            return None

    def settle(self) -> None:
        """Raises ``UserError`` with every sentence on a line of its own, if there are any."""
        if self:
            raise UserError("\n".join(dict.fromkeys(self)))


def troubles(
    spec: ModelSpec,
    tasks: Sequence[Task],
    where: str,
    data_dir: Path | None = None,
    named: Names | None = None,
    source: Source | None = None,
) -> Findings:
    """What keeps a model from being pruned and scored on ``tasks``, which want the same of it.

    ``where`` is its entry in params.yaml, ``source`` its files where they are not those that ``spec`` names. ``named``
    are the classes of the data, where these have been read. The weights of a local folder are looked at and not
    loaded, those on the Hub are not even fetched.
    """
    purpose, found = tasks[0].purpose, Findings()
    if spec.source.config is not None:
        keys = f"{where}.source.config"
        config = found.ask(check_config, spec.source.config, purpose, keys, spec.length or 0)
        if config is not None:
            found += of_made(spec, tasks, config, where)
        return found
    source = source or found.ask(Source.of, spec, data_dir)
    config = found.ask(lambda: source.config) if source else None
    if source is None or config is None:
        return found
    model = found.ask(source.model, purpose, "meta") if source.local else None
    reader: dict[str, Any] = {"tokenizer": None, "processor": None}
    if purpose == "image-classification":
        reader["processor"] = found.ask(
            processor_for, spec.image, config, f"{where}.image", source.place, source.revision, source.trust_remote_code
        )
    else:
        reader["tokenizer"] = found.ask(tokenizer_of, source, purpose)
    if model is not None:
        found += attention.troubles(model)
        found += of_memory(model, str(source))
    if any(one is not None for one in reader.values()):
        shape = model if model is not None else Shape(config, source)
        contract = contract_of(spec, shape, named=named or {}, where=str(source), **reader)
        found += of_length(spec, config, reader["tokenizer"], where)
        for task in tasks:
            unknown = named is None and task.classes is None  # of data that may name its classes itself
            found += [said for said in contract.troubles(task) if not (unknown and "classes: this key" in said)]
    return found


class Shape:
    """Stands for a model of which only the small files have been read."""

    def __init__(self, config: Any, source: Source) -> None:
        self.config, self.generation_config = config, source.generation

    def forward(self, **inputs: Any) -> None:
        """Nothing is known of what it takes."""


def tokenizer_of(source: Source, purpose: str) -> Any:
    """The tokenizer of a model of texts. Raises ``UserError`` where its folder has none."""
    if source.tokenizer is None:
        raise UserError(
            f"{source}: holds no tokenizer_config.json, and a task for {purpose} is made of texts. Save the tokenizer "
            "that the model was trained with beside it."
        )
    return source.tokenizer


def of_made(spec: ModelSpec, tasks: Sequence[Task], config: Any, where: str) -> list[str]:
    """What does not fit between a config and the tasks that its model is to learn."""
    found = Findings()
    for task in tasks:
        if task.classes and len(task.classes) != config.num_labels:
            key = f"{where}.source.config.num_labels"
            found.append(f"{key} is {config.num_labels}, and {task.file} has {len(task.classes)} classes.")
    if tasks[0].purpose == "image-classification":
        found.ask(processor_for, spec.image, config, f"{where}.image")
    return found


def of_length(spec: ModelSpec, config: Any, tokenizer: Any, where: str) -> list[str]:
    """Whether inputs are longer than the model's table of positions, or than its tokenizer says it was trained for."""
    limit = longest(config, tokenizer)
    if limit is None or spec.length is None or spec.length <= limit:
        return []
    return [f"{where}.evaluate.length is {spec.length}; this model reads {limit} tokens at most."]


def of_memory(model: Any, where: str) -> list[str]:
    """Whether the weights, as often as they are needed at once, are more than this machine has left."""
    import psutil

    needed = COPIES * sum(weight.numel() * weight.element_size() for weight in model.parameters())
    free = psutil.virtual_memory().available
    if needed <= free:
        return []
    return [
        f"{where}: its weights are {needed / COPIES / 1e9:.1f} GB, and to prune and measure it takes {COPIES} times "
        f"that; {free / 1e9:.1f} GB of memory are free here. Take a machine with more, or a smaller model."
    ]
