"""Scores a model on its tasks. Inputs are encoded once and asked of every removed model.

``Evaluation(tasks, contract, settings).score(model)`` gives the scores of all tasks of a model, ``score`` those of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from headroom.evaluate.agreement import logit_difference
from headroom.evaluate.scores import NotFinite, Scores, Settings

if TYPE_CHECKING:
    from torch import nn

    from headroom.config.tasks import Task
    from headroom.data.contract import Contract
    from headroom.evaluate.predictions import Predictions
    from headroom.models.loading import Prepared

__all__ = ["Evaluation", "NotFinite", "Scores", "Settings", "logit_difference", "score"]

LANGUAGE = ("bits-per-byte", "multiple-choice", "continuation", "lm-eval")


class Evaluator(Protocol):
    """One or more tasks, encoded."""

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Scores by task name. The model is left as it was found."""

    def remember(self) -> dict[str, Predictions]:
        """Take the predictions of the model that is scored next for the dense model's; by task."""


class Evaluation:
    """All tasks of one dense model. Make it once, then score the dense and every removed model with it."""

    def __init__(
        self, tasks: Sequence[tuple[Task, Iterable[dict[str, Any]]]], contract: Contract, settings: Settings
    ) -> None:
        """``tasks``: each with its examples, a ``datasets.Dataset`` or any rows with a task's columns.

        ``contract`` says what the model wants of its input. Raises ``UserError`` where a task does not fit it.
        """
        filled = [(task, list(examples)) for task, examples in tasks]
        language = {
            task.name: (task if task.lm_eval else task.evaluator, rows)
            for task, rows in filled
            if task.evaluator in LANGUAGE
        }
        others = [(task, rows) for task, rows in filled if task.evaluator not in LANGUAGE]
        self.evaluators: list[Evaluator] = []
        for task, rows in others:
            if not self._shared(task, rows, contract):
                self.evaluators.append(evaluator(task, rows, contract, settings))
        if language:
            from headroom.evaluate.harness import LanguageTasks

            by_length = {task.name for task, _ in filled if task.metric.by_length}
            self.evaluators.append(LanguageTasks(language, contract.tokenizer, settings, contract.start, by_length))

    def _shared(self, task: Task, rows: list[dict[str, Any]], contract: Contract) -> bool:
        """Whether a task wants translations that are made for another one: the model says them once for both."""
        if task.evaluator != "translation":
            return False
        from headroom.evaluate.translation import Translation

        collator: Any = contract.collator(task)
        known = (one for one in self.evaluators if isinstance(one, Translation))
        return any(one.also(task.name, rows, collator, task.metric) for one in known)

    @classmethod
    def of(
        cls, prepared: Prepared, tasks: Sequence[tuple[Task, Iterable[dict[str, Any]]]], tokens: int | None = None
    ) -> Evaluation:
        """The evaluation of a prepared model with the settings of its entry in ``params.yaml``.

        ``tokens``: how many of them go through the model at once where the entry does not say.
        """
        return cls(tasks, prepared.contract, Settings.of(prepared.spec, prepared.contract.length, tokens))

    def remember(self, dense: nn.Module) -> tuple[dict[str, Scores], dict[str, float]]:
        """From now on, all that is scored is compared with the dense model, which is scored for that.

        Its scores, and by task, where there are predictions, the divergence of a model without skill, see
        ``Predictions.blind``.
        """
        kept = {name: seen for one in self.evaluators for name, seen in one.remember().items()}
        scores = self.score(dense)
        for seen in kept.values():
            seen.closed = True
        return scores, {name: seen.blind() for name, seen in sorted(kept.items())}

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Scores by task name. Raises ``NotFinite`` naming the task when the model gives NaN or infinite scores."""
        return {name: scores for one in self.evaluators for name, scores in one.score(model).items()}


def score(model: nn.Module, task: Task, examples: Iterable[dict[str, Any]], reader: Any, settings: Settings) -> Scores:
    """The scores of one model on one task; see ``Evaluation`` for more than one.

    ``reader`` is the model's tokenizer or image processor, or its contract.
    """
    from headroom.data.contract import Contract

    contract = reader if isinstance(reader, Contract) else Contract.of(model, reader, length=settings.max_length)
    return Evaluation([(task, examples)], contract, settings).score(model)[task.name]


def evaluator(task: Task, rows: list[dict[str, Any]], contract: Contract, settings: Settings) -> Evaluator:
    """The evaluator that a task names, for all but the language tasks."""
    from headroom.evaluate.classification import Classification, ImageClassification
    from headroom.evaluate.translation import Translation

    collator: Any = contract.collator(task)
    names = contract.class_names(task)
    match task.evaluator:
        case "translation":
            return Translation(task.name, rows, collator, settings, task.metric)
        case "classification":
            return Classification(task.name, rows, collator, settings, names)
        case "image-classification":
            return ImageClassification(task.name, rows, collator, settings, names)
        case other:
            raise ValueError(f"no evaluator is called {other!r}")
