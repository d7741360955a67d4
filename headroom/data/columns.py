"""Columns of a data set under the names of our evaluators, and whether they hold what these can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroom.config.plain import shown
from headroom.config.tasks import COLUMNS, Task, same
from headroom.data.classes import numbered
from headroom.errors import UserError, suggest

if TYPE_CHECKING:
    from datasets import Dataset


WORDS = ("text", "pair", "source", "target", "context", "continuation")  # columns that hold words


def normalised(dataset: Dataset, task: Task) -> Dataset:
    """The same rows with the columns of the task's evaluator and no others."""
    wanted = COLUMNS[task.evaluator]
    if task.evaluator == "multiple-choice":
        return _choices(dataset, task)
    if task.evaluator == "continuation":
        return _continued(dataset, task)
    source = {column: name for key in wanted for column, name in _sources(task, key)}
    for column, name in source.items():
        if name not in dataset.column_names:
            key = "text" if column == "pair" else column
            raise UserError(f"{task.file}: columns.{key} is {name!r}. {suggest(name, dataset.column_names)}")
        _check_filled(dataset, task, column, name)
    dataset = dataset.select_columns(list(dict.fromkeys(source.values())))
    dataset = dataset.rename_columns({name: column for column, name in source.items() if name != column})
    if "image" in wanted:
        from datasets import Image

        dataset = dataset.cast_column("image", Image())
    return _numbered(dataset, task) if "label" in wanted else dataset


def _sources(task: Task, column: str) -> list[tuple[str, str]]:
    """Our columns and those of the data set behind one key; a text of two parts becomes ``text`` and ``pair``."""
    source = task.columns.get(column, column)
    names = [source] if isinstance(source, str) else source
    return list(zip((column, "pair"), names, strict=False))


def _numbered(dataset: Dataset, task: Task) -> Dataset:
    """Classes that the data set writes out, by the numbers of the task's names."""
    from datasets import Value

    if getattr(dataset.features["label"], "dtype", "") not in ("string", "large_string"):
        return dataset
    names, labels = task.classes or [], dataset.unique("label")
    if names and (number := numbered(names, labels)):
        numbers = [number[label] for label in dataset["label"]]
        return dataset.remove_columns("label").add_column("label", numbers).cast_column("label", Value("int64"))
    strange = [label for label in labels if same(label) not in map(same, names)]
    says = "the key classes is missing, which gives names their numbers; list them all."
    if names:
        says = f"classes has no such name. {suggest(strange[0], names)}" if strange else "classes names one twice."
    raise UserError(f"{task.file}: columns.label holds {shown((strange or labels)[0])}, and {says}")


def _choices(dataset: Dataset, task: Task) -> Dataset:
    """Context, choices and the index of the right one.

    A list of columns for ``choices`` names the right one first where no column ``gold`` is named; its place then
    rotates with the row, so that a model that always takes the same place gains nothing.
    """
    from datasets import Dataset

    columns = task.columns.get("choices", "choices")
    names = [columns] if isinstance(columns, str) else columns
    context, gold = str(task.columns.get("context", "context")), str(task.columns.get("gold", "gold"))
    counted = len(names) == 1 or "gold" in task.columns
    for column, name in [("choices", name) for name in names] + ([("gold", gold)] if counted else []):
        if name not in dataset.column_names:
            raise UserError(f"{task.file}: columns.{column} names {name!r}. {suggest(name, dataset.column_names)}")
        _check_filled(dataset, task, column, name)
    rows = []
    for index, row in enumerate(dataset):
        choices = row[names[0]] if len(names) == 1 else [row[name] for name in names]
        right = int(row[gold]) if counted else 0
        if len(choices) < 2 or not 0 <= right < len(choices):
            raise UserError(
                f"{task.file}: columns.{'gold' if len(choices) > 1 else 'choices'}: example {index} has {len(choices)} "
                f"choices and number {right} is said to be right; two or more are wanted, counted from 0."
            )
        turn = 0 if counted else index % len(choices)
        turned = list(choices[-turn:]) + list(choices[:-turn]) if turn else list(choices)
        rows.append({"context": row.get(context, ""), "choices": turned, "gold": (right + turn) % len(turned)})
    return Dataset.from_list(rows)


def _continued(dataset: Dataset, task: Task) -> Dataset:
    """Context and what goes on behind it: two columns, or the last word of one and what is in front of it.

    A word begins at a space, as in lm-eval's lambada.
    """
    from datasets import Dataset

    context, continuation = (str(task.columns.get(column, column)) for column in COLUMNS["continuation"])
    for column, name in (("context", context), ("continuation", continuation)):
        if name not in dataset.column_names:
            raise UserError(f"{task.file}: columns.{column} is {name!r}. {suggest(name, dataset.column_names)}")
        _check_filled(dataset, task, column, name)
    pairs = list(zip(dataset[context], dataset[continuation], strict=True))
    if context == continuation:
        pairs = [text.rstrip().rpartition(" ")[::2] for text, _ in pairs]
    for index, (_, follows) in enumerate(pairs):
        if not follows.strip():
            raise UserError(f"{task.file}: columns.continuation: nothing follows in example {index}; leave it out.")
    return Dataset.from_list([{"context": before, "continuation": follows} for before, follows in pairs])


def _check_filled(dataset: Dataset, task: Task, column: str, name: str) -> None:
    """Raises ``UserError`` for a column with holes, or with anything but words where words are wanted."""
    if holes := dataset.select_columns([name]).with_format("arrow")[:].column(0).null_count:
        raise UserError(f"{task.file}: columns.{column} is {name!r}, and {holes} of {len(dataset)} examples have none.")
    kind = getattr(dataset.features[name], "dtype", "")
    if column in WORDS and kind not in ("string", "large_string"):
        raise UserError(f"{task.file}: columns.{column} is {name!r}, which holds {kind or 'lists'}; wanted text.")


def check_labels(splits: dict[str, Dataset], task: Task, classes: int, where: str) -> None:
    """Raises ``UserError`` for a label that a model of so many classes, which ``where`` sets, cannot learn."""
    for name, split in splits.items():
        for row, label in enumerate(split["label"] if "label" in split.column_names else ()):
            if not isinstance(label, int) or not 0 <= label < classes:
                raise UserError(
                    f"{task.file}: splits.{name}: example {row} has the label {shown(label)}, and the model knows the "
                    f"classes 0 to {classes - 1} ({where} is {classes})."
                )
