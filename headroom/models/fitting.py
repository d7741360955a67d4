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
from headroom.data.contract import Contract, longest
from headroom.data.words import silent
from headroom.errors import UserError
from headroom.models.checking import check_call, check_config, check_layers
from headroom.models.heads import to_train
from headroom.models.loading import Names, contract_of
from headroom.models.readers import readers
from headroom.models.sources import Source

T = TypeVar("T")

COPIES = 2  # of the weights at most: dense, and removed ones, which share what stays unless they are trained
SHORTEST = {"language": 2}  # tokens, to foretell one; one is enough for all others


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
    purpose: str | None = None,
) -> Findings:
    """What keeps a model from being pruned and scored on ``tasks``, which want the same of it.

    ``where`` is its entry in params.yaml, ``source`` its files where they are not those that ``spec`` names, and
    ``purpose`` what it is for where there are no tasks. ``named`` are the classes of the data, where these have been
    read. The weights of a local folder are looked at and not loaded, those on the Hub are not even fetched.
    """
    purpose = purpose or tasks[0].purpose
    if spec.source.config is not None:
        return of_made(spec, tasks, purpose, where)
    found = Findings()
    source = source or found.ask(Source.of, spec, data_dir)
    if source and spec.train and tasks:
        source = found.ask(to_train, source, tasks[0], (named or {}).get(tasks[0].name) or tasks[0].classes)
    config = found.ask(lambda: source.config) if source else None
    if source is None or config is None:
        return found
    model = found.ask(source.shape, purpose)
    feeding = found.ask(readers, spec, purpose, config, where, source, bool(tasks))
    if model is not None:
        found += of_model(model, source)
    if model is None or feeding is None or feeding == (None, None):
        return found
    tokenizer, processor = feeding
    if unfit := of_length(spec, config, tokenizer, purpose, source, where) + of_words(tokenizer, config, source):
        return Findings(found + unfit)
    contract = contract_of(spec, model, tokenizer, processor, named or {}, str(source))
    found.ask(check_call, model, purpose, contract.length, f"{source}: config.json")
    for task in tasks:
        found += of_task(contract, task, source, data_is_read=named is not None)
    return found


def of_model(model: Any, source: Source) -> list[str]:
    """Whether units can be cut out of it, and whether it has room here."""
    found = Findings()
    found.ask(check_layers, model, f"{source}: config.json")
    return [*(found or attention.troubles(model)), *of_memory(model, str(source))]


def of_task(contract: Contract, task: Task, source: Source, data_is_read: bool) -> list[str]:
    """What does not fit between a model and a task; data that are not read yet may name their classes themselves."""
    found = contract.troubles(task)
    if not data_is_read and task.classes is None:
        found = [said for said in found if "classes: this key" not in said]
    placed = (str(source), task.file)
    return [said if any(place in said for place in placed) else f"{source}: {said}" for said in found]


def of_made(spec: ModelSpec, tasks: Sequence[Task], purpose: str, where: str) -> Findings:
    """What does not fit between a config, what it makes, and the tasks that its model is to learn."""
    found, keys = Findings(), f"{where}.source.config"
    config = found.ask(check_config, spec.source.config, purpose, keys, spec.length or 0)
    if config is None:
        return found
    for task in tasks:
        if task.classes and len(task.classes) != config.num_labels:
            says = f"{keys}.num_labels is {config.num_labels}"
            found.append(f"{says}, and {task.file} has {len(task.classes)} classes. Make them the same.")
    found.ask(readers, spec, purpose, config, where)
    return found


def of_length(spec: ModelSpec, config: Any, tokenizer: Any, purpose: str, source: Source, where: str) -> list[str]:
    """Whether inputs are longer than the model's table of positions, or than its tokenizer says it was trained for."""
    limit, least = longest(config, tokenizer), SHORTEST.get(purpose, 1)
    if limit is None:
        return []
    if limit < least:
        return [
            f"{source}: max_position_embeddings of config.json or model_max_length of tokenizer_config.json says that "
            f"it reads {limit} tokens; {least} or more are wanted for {purpose}. Mend the one that is wrong."
        ]
    if spec.length is not None and spec.length > limit:
        stated = "evaluate" if spec.evaluate.length else "train"
        return [
            f"{where}.{stated}.length is {spec.length}; {source} reads {limit} tokens at most. Say so many, or leave "
            "the key out."
        ]
    return []


def of_words(tokenizer: Any, config: Any, source: Source) -> list[str]:
    """Whether the model has an embedding of every word; those that were added to a tokenizer may be of no use."""
    if tokenizer is None:
        return []
    size, added = config.get_text_config().vocab_size, tokenizer.get_added_vocab()
    with silent():  # the marks around a text are asked for too
        around = [*tokenizer("a")["input_ids"], *tokenizer(text_target="a")["input_ids"]]
    beyond = {token for word, token in tokenizer.get_vocab().items() if token >= size and word not in added}
    beyond |= {token for token in around if token >= size}
    if not beyond:
        return []
    return [
        f"{source}: vocab_size of config.json is {size}, and the tokenizer numbers {len(beyond)} words or marks from "
        f"there on, the last of them {max(beyond)}. Save the tokenizer that the model was trained with beside it."
    ]


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
