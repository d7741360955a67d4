"""Our own language tasks as lm-eval's: requests built once, from examples in memory, and asked of every model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

from datasets import Dataset, DatasetDict
from lm_eval.api.task import ConfigurableTask

from headroom.data.choices import asked
from headroom.errors import UserError

Rows = Sequence[dict[str, Any]]


class KeptTask(ConfigurableTask):
    """A task whose requests are built once and asked again of every model."""

    def build_all_requests(self, **settings: Any) -> None:
        if not getattr(self, "_instances", None):
            with redirect_stderr(StringIO()):  # lm-eval's progress bar has no switch here
                super().build_all_requests(**settings)
        for request in self._instances:
            request.resps, request.filtered_resps = [], {}


def rolling_rows(examples: Rows) -> list[dict[str, Any]]:
    """One row a text, with its size so that texts of like length share a batch."""
    return [{"text": text, "size": len(text)} for text in (example["text"] for example in examples)]


def choice_rows(examples: Rows) -> list[dict[str, Any]]:
    """One row a question, its choices as they follow the context. Raises ``UserError`` for one without a letter."""
    rows = []
    for number, example in enumerate(examples):
        context = example["context"] or ""
        choices = asked(context, list(example["choices"]))
        if not all(choices):
            raise UserError(f"Question {number} has a choice without a letter, which has no likelihood: {choices!r}.")
        rows.append({"context": context, "choices": choices, "gold": int(example["gold"]), "size": len(context)})
    return rows


def continuation_rows(examples: Rows) -> list[dict[str, Any]]:
    """One row a context, what goes on as it follows the context."""
    pairs = [(example["context"] or "", example["continuation"]) for example in examples]
    return [
        {"context": context, "continuation": asked(context, [follows])[0], "size": len(context)}
        for context, follows in pairs
    ]


ROWS = {"bits-per-byte": rolling_rows, "multiple-choice": choice_rows, "continuation": continuation_rows}


def task_config(name: str, kind: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """lm-eval's configuration of a task whose examples are in memory."""
    config: dict[str, Any] = {
        "task": name,
        "custom_dataset": lambda **_: DatasetDict({"test": Dataset.from_list(rows)}),
        "test_split": "test",
        "metadata": {"version": 1.0},
    }
    if kind == "bits-per-byte":
        return config | {
            "output_type": "loglikelihood_rolling",
            "metric_list": [{"metric": "bits_per_byte"}],
            "doc_to_text": "",
            "doc_to_target": lambda row: row["text"],
        }
    config |= {
        "metric_list": [{"metric": "acc"}],
        "doc_to_text": lambda row: row["context"],
        "target_delimiter": "",  # the rows carry their own
    }
    if kind == "continuation":
        return config | {"output_type": "loglikelihood", "doc_to_target": lambda row: row["continuation"]}
    return config | {
        "output_type": "multiple_choice",
        "doc_to_choice": lambda row: row["choices"],
        "doc_to_target": lambda row: row["gold"],
    }
