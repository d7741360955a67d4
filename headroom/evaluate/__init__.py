"""Scores a model on its tasks. Inputs are encoded once and asked of every removed model.

``Evaluation(tasks, reader, settings).score(model)`` gives the scores of all tasks of a model, ``score`` those of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from headroom.evaluate.agreement import logit_difference
from headroom.evaluate.scores import NotFinite, Scores, Settings

if TYPE_CHECKING:
    from torch import nn

    from headroom.config.tasks import Task
    from headroom.models.loading import Prepared

__all__ = ["Evaluation", "NotFinite", "Scores", "Settings", "logit_difference", "score"]

LANGUAGE = ("bits-per-byte", "multiple-choice")


class Evaluator(Protocol):
    """One or more tasks, encoded."""

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Scores by task name. The model is left as it was found."""


class Evaluation:
    """All tasks of one dense model. Make it once, then score the dense and every removed model with it."""

    def __init__(self, tasks: Sequence[tuple[Task, Iterable[dict[str, Any]]]], reader: Any, settings: Settings) -> None:
        """``tasks``: each with its examples, a ``datasets.Dataset`` or any rows with a task's columns.

        ``reader`` is the model's tokenizer; for images, its ``ImageCollator``.
        """
        filled = [(task, list(examples)) for task, examples in tasks]
        language = {task.name: (task.evaluator, rows) for task, rows in filled if task.evaluator in LANGUAGE}
        others = [(task, rows) for task, rows in filled if task.evaluator not in LANGUAGE]
        self.evaluators: list[Evaluator] = [evaluator(task, rows, reader, settings) for task, rows in others]
        if language:
            from headroom.evaluate.harness import LanguageTasks

            self.evaluators.append(LanguageTasks(language, reader, settings))

    @classmethod
    def of(cls, prepared: Prepared, tasks: Sequence[tuple[Task, Iterable[dict[str, Any]]]]) -> Evaluation:
        """The evaluation of a prepared model with the settings of its entry in ``params.yaml``."""
        reader = prepared.tokenizer if prepared.tokenizer is not None else prepared.collator
        return cls(tasks, reader, Settings.of(prepared.spec))

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Scores by task name. Raises ``NotFinite`` naming the task when the model gives NaN or infinite scores."""
        return {name: scores for one in self.evaluators for name, scores in one.score(model).items()}


def score(model: nn.Module, task: Task, examples: Iterable[dict[str, Any]], reader: Any, settings: Settings) -> Scores:
    """The scores of one model on one task; see ``Evaluation`` for more than one. For images: its processor."""
    from headroom.data.images import ImageCollator

    if task.evaluator == "image-classification" and not isinstance(reader, ImageCollator):
        reader = ImageCollator(reader, model.config)
    return Evaluation([(task, examples)], reader, settings).score(model)[task.name]


def evaluator(task: Task, rows: list[dict[str, Any]], reader: Any, settings: Settings) -> Evaluator:
    """The evaluator that a task names, for all but the language tasks."""
    from headroom.data.text import ClassificationCollator, TranslationCollator
    from headroom.evaluate.classification import Classification, ImageClassification
    from headroom.evaluate.translation import Translation

    match task.evaluator:
        case "translation":
            return Translation(task.name, rows, TranslationCollator(reader, settings.max_length), settings, task.metric)
        case "classification":
            return Classification(task.name, rows, ClassificationCollator(reader, settings.max_length), settings)
        case "image-classification":
            return ImageClassification(task.name, rows, reader, settings)
        case other:
            raise ValueError(f"no evaluator is called {other!r}")
