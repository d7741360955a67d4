"""Which logit of a classifier answers for which class of a task: by name wherever names are known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from headroom.config.tasks import Task, same
from headroom.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

NUMBERED = re.compile(r"(?:label|class)?[\s_-]*(\d+)", re.IGNORECASE)  # what stands there where nobody named a class
SHOWN = 8  # names in a sentence; there may be a thousand


def names_in(task: Task, splits: dict[str, Dataset]) -> list[str] | None:
    """The names of a task's classes by their number, as the task file or else the data set itself states them.

    The file may call a class otherwise than the data do. Raises ``UserError`` where it gives one of their names to
    another number, or splits differ.
    """
    labels = [(f"split {split}", data.features.get("label")) for split, data in splits.items()]
    said = [(where, list(label.names)) for where, label in labels if hasattr(label, "names") and real(label.names)]
    for where, names in said:
        first, wanted = ("the file", task.classes) if task.classes else said[0]
        if not _one_list(wanted, names, renamed=bool(task.classes)):
            raise UserError(
                f"{task.file}: classes: {first} has {listed(wanted)}, and {where} has {listed(names)}. "
                "Wanted one list, in the order of the numbers that the data have."
            )
    return task.classes or (said[0][1] if said else None)


def _one_list(ours: Sequence[str], theirs: Sequence[str], renamed: bool) -> bool:
    """Whether two lists name the same classes; if some are ``renamed``, not by a name that another number has."""
    ours, theirs = list(map(same, ours)), list(map(same, theirs))
    fitting = (one == other or (renamed and one not in theirs) for one, other in zip(ours, theirs, strict=False))
    return len(ours) == len(theirs) and all(fitting)


def real(names: Sequence[str]) -> bool:
    """Whether names say more than their own number, as `1` and `LABEL_1` do in the place 1."""
    numbers = [NUMBERED.fullmatch(str(name).strip()) for name in names]
    return not all(found and int(found[1]) == place for place, found in enumerate(numbers))


def names_of(config: Any, stated: Sequence[str] | None, where: str) -> list[str]:
    """The names of a model's classes in the order of its logits; `LABEL_0` and so on where nobody has named them.

    ``stated`` comes from params.yaml, for a config that has none. Raises ``UserError`` where that contradicts the
    config, or the config itself.
    """
    numbers = range(config.num_labels)
    if set(config.id2label) != set(numbers):
        raise UserError(
            f"{where}: config.json: id2label has the numbers {listed(sorted(config.id2label))}; wanted 0 to "
            f"{len(numbers) - 1}, one for each logit. Number its classes anew."
        )
    names = [str(config.id2label[number]) for number in numbers]
    told = told_by_name(config, where)
    if not real(names) and all(number in told for number in numbers):
        names = [told[number][0] for number in numbers]
    said = Counter(map(same, names))  # a name that comes twice may be told apart where each has to be another
    differs = (names[n] for n in numbers if n in told and same(names[n]) not in map(same, told[n]))
    if any(said[same(name)] == 1 for name in differs) or not set(told) <= set(numbers):
        by_name = [f"{number}: {' or '.join(told[number])}" for number in sorted(told)]
        raise UserError(
            f"{where}: config.json: id2label has {listed(names)}, label2id has {listed(by_name)}. Mend the one that is "
            "wrong."
        )
    if stated is None:
        return names
    if len(stated) != len(numbers):
        raise UserError(
            f"{where}: knows {len(numbers)} classes, and params.yaml: models.NAME.classes has {len(stated)}: "
            f"{listed(stated)}. Name each logit once, in their order."
        )
    if real(names) and [same(name) for name in names] != [same(name) for name in stated]:
        raise UserError(
            f"{where}: config.json: id2label has {listed(names)}, and params.yaml: models.NAME.classes has "
            f"{listed(stated)}. Leave it out there."
        )
    return list(stated)


def told_by_name(config: Any, where: str) -> dict[int, list[str]]:
    """What label2id calls each number, but for names that only say the number. Raises ``UserError`` for no numbers."""
    told: dict[int, list[str]] = {}
    for name, number in (config.label2id or {}).items():
        if not str(number).isdecimal():
            raise UserError(
                f"{where}: config.json: label2id has {number!r} for {name!r}; wanted the number of a logit."
            )
        default = NUMBERED.fullmatch(str(name).strip())
        if not default or int(default[1]) != int(number):
            told.setdefault(int(number), []).append(str(name))
    return told


def order_of(task: Task, wanted: Sequence[str] | None, config: Any, stated: Sequence[str] | None, where: str) -> Order:
    """The logit of each class of the task. ``wanted`` are the task's names, ``stated`` the model's from params.yaml.

    Raises ``UserError`` where their numbers differ, or a name of one has no equal in the other.
    """
    have = names_of(config, stated, where)
    if wanted is None and not real(have):
        return Order(None, f"{config.num_labels} by number; neither the task nor the model names them")
    if wanted is None:
        raise UserError(
            f"{task.file}: classes: this key is missing, and {where} names its own: {listed(have)}. "
            "Name those of the data in the order of their numbers."
        )
    if len(wanted) != config.num_labels:
        raise UserError(
            f"{task.file}: has {len(wanted)} classes ({listed(wanted)}), and {where} knows {config.num_labels}"
            f"{f' ({listed(have)})' if real(have) else ''}. Take a model with a head for this task."
        )
    if places := matched(wanted, have):
        return Order(places, f"{listed(wanted)}; matched by name with the model's {listed(have)}")
    by_number = tuple(range(len(wanted)))
    if not real(have):
        return Order(by_number, f"{listed(wanted)}; by number, for the model does not name them")
    if list(map(same, wanted)) == list(map(same, have)):
        return Order(by_number, f"{listed(wanted)}; by number, for names come twice and the model has the same list")
    raise UserError(f"{task.file}: classes {_differ(wanted, have, where)}")


def matched(wanted: Sequence[str], have: Sequence[str]) -> tuple[int, ...] | None:
    """The place in ``have`` of each name that is wanted, or None where not every name has its one equal there.

    `A` and `a` are two classes where the names are letters, and one where somebody writes them larger.
    """
    places = numbered(have, wanted)
    found = tuple(places[name] for name in wanted) if places else ()
    return found if len(set(found)) == len(wanted) == len(have) else None


def numbered(names: Sequence[str], asked: Iterable[str]) -> dict[str, int] | None:
    """The place in ``names`` of each name that is asked for, or None where one has no place, or names are alike.

    They are compared as they are written, and where that does not do, as ``same`` compares.
    """
    asked = list(asked)
    for alike in (str.strip, same):
        places = {alike(name): place for place, name in enumerate(names)}
        if len(places) == len(names) and all(alike(name) in places for name in asked):
            return {name: places[alike(name)] for name in asked}
    return None


def _differ(wanted: Sequence[str], have: Sequence[str], where: str) -> str:
    known = set(map(same, have))
    strange = [name for name in wanted if same(name) not in known]
    if strange:
        return (
            f"has {strange[0]!r}, and {where} knows {listed(have)}. Call them alike there, or in "
            "models.NAME.classes of params.yaml, in the order of the model's logits."
        )
    twice = next(name for names in (have, wanted) for name in names if list(map(same, names)).count(same(name)) > 1)
    return (
        f"cannot be matched by name with those of {where}, for {twice!r} comes twice. Name them in the model's order, "
        f"if that is the data's too: {listed(have)}."
    )


class Order:
    """The logit of each class of a task, and how that is known, in words. None: by number, none has a name."""

    def __init__(self, places: tuple[int, ...] | None, said: str) -> None:
        self.places, self.said = places, said

    def __call__(self, label: int) -> int:
        """The model's number for a label of the data."""
        return int(label) if self.places is None else self.places[int(label)]


def listed(names: Sequence[Any]) -> str:
    """Names for a sentence, the first few of many."""
    more = f", ... ({len(names)})" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more
