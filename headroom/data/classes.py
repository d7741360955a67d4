"""Which logit of a classifier answers for which class of a task: by name wherever names are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task, same
from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

NUMBERED = re.compile(r"LABEL_\d+", re.IGNORECASE)  # what the library writes where nobody named the classes
SHOWN = 8  # names in a sentence; there may be a thousand


def names_in(task: Task, splits: dict[str, Dataset]) -> list[str] | None:
    """The names of a task's classes by their number, as the task file or the data set itself states them.

    Raises ``UserError`` where both do, and differ.
    """
    labels = [split.features.get("label") for split in splits.values()]
    said = [label.names for label in labels if hasattr(label, "names")]
    own = said[0] if said else None
    if own and task.classes and [same(name) for name in own] != [same(name) for name in task.classes]:
        raise UserError(
            f"{task.file}: classes are {listed(task.classes)}, and the data set's own are {listed(own)}. "
            "Name them in the order of its numbers."
        )
    return task.classes or own


def names_of(config: Any, stated: Sequence[str] | None, where: str) -> list[str] | None:
    """The names of a model's classes in the order of its logits, or None where nobody has named them.

    ``stated`` comes from params.yaml, for a config that has none. Raises ``UserError`` where that contradicts the
    config, or the config itself.
    """
    numbers = range(config.num_labels)
    by_number = [str(config.id2label.get(number, "")) for number in numbers]
    by_name = {int(number): str(name) for name, number in config.label2id.items() if not NUMBERED.fullmatch(str(name))}
    inverted = [by_name.get(number, "") for number in numbers]
    named, counted = all(by_number) and not any(map(NUMBERED.fullmatch, by_number)), all(inverted)
    if named and counted and by_number != inverted:
        raise UserError(
            f"{where}: id2label has {listed(by_number)}, label2id has {listed(inverted)}. Mend the one that is wrong."
        )
    own = by_number if named else inverted if counted else None
    if stated is None:
        return own
    if len(stated) != len(numbers):
        raise UserError(
            f"{where}: knows {len(numbers)} classes, and params.yaml names {len(stated)}: {listed(stated)}."
        )
    if own and [same(name) for name in own] != [same(name) for name in stated]:
        raise UserError(
            f"{where}: id2label has {listed(own)}, and params.yaml has {listed(stated)}. Leave it out there."
        )
    return list(stated)


def order_of(task: Task, wanted: Sequence[str] | None, config: Any, stated: Sequence[str] | None, where: str) -> Order:
    """The logit of each class of the task. ``wanted`` are the task's names, ``stated`` the model's from params.yaml.

    Raises ``UserError`` where their numbers differ, or a name of one has no equal in the other.
    """
    have = names_of(config, stated, where)
    if wanted is None and have is None:
        return Order(None, f"{config.num_labels} by number; neither the task nor the model names them")
    if wanted is None:
        raise UserError(
            f"{task.file}: classes: this key is missing, and {where} names its own: {listed(have or ())}. "
            "Name those of the data in the order of their numbers."
        )
    if len(wanted) != config.num_labels:
        raise UserError(
            f"{task.file}: has {len(wanted)} classes ({listed(wanted)}), and {where} knows {config.num_labels}"
            f"{f' ({listed(have)})' if have else ''}. Take a model with a head for this task."
        )
    if have is None:
        return Order(tuple(range(len(wanted))), f"{listed(wanted)}; by number, for the model does not name them")
    places = {same(name): place for place, name in enumerate(have)}
    strange = [name for name in wanted if same(name) not in places]
    if strange:
        raise UserError(
            f"{task.file}: classes has {strange[0]!r}, and {where} knows {listed(have)}. Call them alike there, or in "
            "models.NAME.classes of params.yaml, in the order of the model's logits."
        )
    order = tuple(places[same(name)] for name in wanted)
    return Order(order, f"{listed(wanted)}; matched by name with the model's {listed(have)}")


class Order:
    """The logit of each class of a task, and how that is known, in words. None: by number, none has a name."""

    def __init__(self, places: tuple[int, ...] | None, said: str) -> None:
        self.places, self.said = places, said

    def __call__(self, label: int) -> int:
        """The model's number for a label of the data."""
        return int(label) if self.places is None else self.places[int(label)]


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first few of many."""
    more = f", ... ({len(names)})" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more
