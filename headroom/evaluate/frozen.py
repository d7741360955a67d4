"""lm-eval's own tasks, asked again from the rows that were made of them once; see ``headroom.data.lm_eval_rows``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from lm_eval.api.instance import Instance

from headroom.config.lm_eval import LmEval
from headroom.config.tasks import Task
from headroom.data.lm_eval_tasks import SEED, ServedTask, members, settings
from headroom.evaluate.answering import check_room
from headroom.evaluate.scores import NotFinite

Rows = Sequence[dict[str, Any]]

# What of a task says where documents come from, and what becomes of them before they are asked: that is done.
DONE = {
    "training_split": None,
    "validation_split": None,
    "test_split": "test",
    "fewshot_split": None,
    "fewshot_config": None,
    "process_docs": None,
}


class Docs(list[dict[str, Any]]):
    """Documents as lm-eval wants them: a list that knows its columns."""

    @property
    def features(self) -> dict[str, Any]:
        return self[0]


class FrozenTask(ServedTask):
    """A task whose requests are those of the rows, whatever lm-eval would make of them today."""

    shots: ClassVar[int | None] = 0  # they stand in the rows
    rows: ClassVar[Mapping[str, Rows]]  # by the name of the task

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config=config | DONE)

    def download(self, *_: Any, **__: Any) -> None:
        self.dataset = {"test": Docs(json.loads(row["doc"]) for row in self.rows[self.config.task])}

    def build_all_requests(self, **_: Any) -> None:
        """Built once, and asked again of every model."""
        if not getattr(self, "_instances", None):
            rows = self.rows[self.config.task]
            self._instances = [one for place in range(len(rows)) for one in self._requests(place, rows[place])]
        for request in self._instances:
            request.resps, request.filtered_resps = [], {}

    def _requests(self, place: int, row: dict[str, Any]) -> list[Instance]:
        kind = "loglikelihood" if self.OUTPUT_TYPE == "multiple_choice" else self.OUTPUT_TYPE
        doc, metadata = self.dataset["test"][place], (self.config.task, place, 1)
        return [
            Instance(request_type=kind, doc=doc, arguments=given, idx=number, metadata=metadata)
            for number, given in enumerate(asked(row))
        ]


def asked(row: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the model is asked of one document, as lm-eval passes it to a model."""
    contexts, answers = row["contexts"], row["answers"]
    if row["generation"]:
        return [(contexts[0], json.loads(row["generation"]))]
    if not answers:
        return [(contexts[0],)]
    contexts = contexts if len(contexts) == len(answers) else contexts * len(answers)
    return list(zip(contexts, answers, strict=True))


class Frozen:
    """One task of ours: all of lm-eval's tasks behind its name."""

    def __init__(self, task: Task, rows: Rows, length: int) -> None:
        """Raises ``UserError`` where lm-eval has no such task any more, or an answer does not fit into ``length``."""
        self.name, self.how = task.name, settings(task)
        for generation in {row["generation"] for row in rows} - {""}:
            check_room(task.name, json.loads(generation), length)
        parts = {name: list(part) for name, part in groupby(rows, key=lambda row: row["member"])}
        self.weights = np.array([row["weight"] for row in rows])
        found = members(task, type("Asked", (FrozenTask,), {"rows": parts}))
        self.version = found.version
        self.tasks = {f"{task.name}: {member}": found.tasks[member] for member in parts}
        self.shots = max(one.config.num_fewshot for one in self.tasks.values())

    def collect(self, samples: Mapping[str, list[dict[str, Any]]]) -> np.ndarray:
        """Statistics of each document, in the order of the rows. Raises ``NotFinite`` naming the task."""
        found = []
        for _, ordered in self.ordered(samples):
            for sample in ordered:
                check_finite(self.name, sample["filtered_resps"])
            found += [self.counted(sample[self.how.metric]) for sample in ordered]
        return np.array(found, dtype=np.float64) * self.weights[:, None]

    def ordered(self, samples: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The documents of each of lm-eval's tasks, in the order of the rows."""
        for name in self.tasks:
            yield name, sorted(samples[name], key=lambda sample: sample["doc_id"])

    @property
    def of_choices(self) -> bool:
        """Whether each document is a choice of several."""
        return all(task.OUTPUT_TYPE == "multiple_choice" for task in self.tasks.values())

    def counted(self, value: Any) -> tuple[float, float]:
        """The two columns of one document: log likelihood lost (bits or nats) and units, or points and one."""
        if isinstance(value, tuple | list):
            log_likelihood, units = value
            return -log_likelihood / (np.log(2) if self.how.metric == "bits_per_byte" else 1), float(units)
        return (-float(value) if self.how.metric == "perplexity" else float(value)), 1.0

    def signature(self, model: str) -> str:
        """What a reader needs to get the same number from lm-eval's command line. ``model``: how it is fed."""
        how: LmEval = self.how
        shown = f"{self.shots}-shot" + (f", examples drawn with seed {SEED}" if self.shots else "")
        read = f" of {how.filter}" if how.filter else ""
        first = f", the first {how.limit} documents" + (" of each task" if len(self.tasks) > 1 else "")
        return f"{how.task} {self.version} {how.metric}{read}, {shown}{first if how.limit else ''}, {model}"


def check_finite(task: str, answers: Sequence[Any]) -> None:
    """Raises ``NotFinite`` for a log likelihood that is no number; words are watched while they are generated."""
    numbers = [answer[0] if isinstance(answer, tuple | list) else answer for answer in answers]
    if not all(isinstance(number, str) or np.isfinite(number) for number in numbers):
        raise NotFinite(task, "log likelihoods")
