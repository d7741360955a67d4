"""Bits per byte, multiple choice and continuations by lm-eval, on a model object in memory, without its logs and bars.

Import this lazily: lm-eval takes more than a second. The parts of lm-eval used are ``HFLM`` (``live.py``),
``ConfigurableTask`` and ``evaluator.evaluate``; ``simple_evaluate`` would add 1.2 s of environment report to each call.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from importlib.metadata import version
from io import StringIO
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from lm_eval import evaluator
from lm_eval.api.task import ConfigurableTask
from torch import nn

from headroom.config.tasks import Task
from headroom.data.choices import asked
from headroom.data.lm_eval_tasks import SEED, compiled_once, quiet
from headroom.data.start import Start
from headroom.errors import UserError
from headroom.evaluate.answering import AnsweringModel
from headroom.evaluate.batching import TOKENS
from headroom.evaluate.frozen import Frozen, check_finite
from headroom.evaluate.live import Known, LiveModel
from headroom.evaluate.scores import Scores, Settings, as_found

Rows = Sequence[dict[str, Any]]


class KeptTask(ConfigurableTask):
    """A task whose requests are built once and asked again of every model."""

    def build_all_requests(self, **settings: Any) -> None:
        if not getattr(self, "_instances", None):
            with redirect_stderr(StringIO()):  # lm-eval's progress bar has no switch here
                super().build_all_requests(**settings)
        for request in self._instances:
            request.resps, request.filtered_resps = [], {}


class LanguageTasks:
    """All lm-eval tasks of a model, scored together."""

    def __init__(
        self, tasks: Mapping[str, tuple[str | Task, Rows]], tokenizer: Any, settings: Settings, start: Start
    ) -> None:
        """``tasks``: name -> (evaluator, or the task itself where it names one of lm-eval's; its examples).

        ``start``: what the model wants in front of a text.

        Raises ``UserError`` where that is nothing: the first token of a text is predicted from a mark.
        """
        if start.token is None:
            raise UserError(
                "The tokenizer names neither a start nor an end mark (bos_token, eos_token), and the first token of a "
                "text is predicted from one. Name the one that the model was trained with in tokenizer_config.json."
            )
        self.settings, self.start = settings, start
        self.tokenizer = copy.deepcopy(tokenizer)  # lm-eval may give it a padding token
        self.known: Known = {}
        self.order: dict[str, list[int]] = {}
        self.kept: dict[str, KeptTask] = {}
        self.frozen: dict[str, Frozen] = {}
        with quiet():
            for name, (kind, examples) in tasks.items():
                if isinstance(kind, Task):
                    self.frozen[name] = Frozen(kind, examples, settings.max_length)
                    continue
                rows = ROWS[kind](examples)
                self.order[name] = list(np.argsort([-row["size"] for row in rows], kind="stable"))
                self.kept[name] = KeptTask(config=task_config(name, kind, [rows[place] for place in self.order[name]]))

    def score(self, model: nn.Module) -> dict[str, Scores]:
        """Scores of every task. Raises ``NotFinite`` naming the task when a log likelihood is NaN or infinite."""
        with quiet(), compiled_once(), as_found(model):
            live = AnsweringModel(
                pretrained=model,
                tokenizer=self.tokenizer,
                batch_size=self.settings.batch_size or 1,  # one at least, where `tokens` decides
                max_length=self.settings.max_length,
                prefix_token_id=self.start.token,
            )
            live.known, live.start = self.known, self.start
            live.tokens = None if self.settings.batch_size else self.settings.tokens or TOKENS
            tasks = self.kept | {name: one for frozen in self.frozen.values() for name, one in frozen.tasks.items()}
            answers = evaluator.evaluate(live, {"tasks": tasks, "groups": {}, "group_map": {}}, bootstrap_iters=0)
        samples = answers["samples"]
        ours = {name: self.collect(name, samples[name], live) for name in self.kept}
        return ours | {name: self.of_lm_eval(frozen, samples, live) for name, frozen in self.frozen.items()}

    def of_lm_eval(self, frozen: Frozen, samples: Mapping[str, list[dict[str, Any]]], live: LiveModel) -> Scores:
        """Scores of one of lm-eval's own tasks, or of a group of them."""
        said = f"lm-eval {version('lm-eval')} {frozen.signature(fed(live))}"
        return Scores(frozen.collect(samples), frozen.how.measure["name"], said)

    def collect(self, name: str, samples: list[dict[str, Any]], live: LiveModel) -> Scores:
        """Bring lm-eval's per-example results into the order of the examples."""
        metric = "acc" if "acc" in samples[0] else "bits_per_byte"
        stats = np.empty((len(samples), 2))
        for sample in samples:
            check_finite(name, sample["filtered_resps"])
            stats[self.order[name][sample["doc_id"]]] = statistics(sample[metric])
        said = signature(self.kept[name].OUTPUT_TYPE, live)
        return Scores(stats, "accuracy" if metric == "acc" else "bits-per-byte", said)


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


def statistics(value: Any) -> tuple[float, float]:
    """The two columns of one example: bits and bytes, or correct (0 or 1) and one."""
    if isinstance(value, tuple):
        log_likelihood, size = value
        return -log_likelihood / math.log(2), float(size)
    return float(value), 1.0


def fed(live: LiveModel) -> str:
    """How many tokens of a question the model is given, and what is in front of them."""
    where = "before every context" if live.start.before_context else "in place of no context"
    return f"context {live.max_length} tokens, start {live.start.text!r} {where}"


SAID = {
    "multiple_choice": "acc, log likelihood of each choice",
    "loglikelihood": "acc, whether greedy decoding goes on so",
}


def signature(kind: str, live: LiveModel) -> str:
    """What a reader needs to get the same number from lm-eval. ``kind``: lm-eval's name of what is asked."""
    if kind in SAID:
        how = f"{SAID[kind]}, {fed(live)}"
    else:
        every = " in every window" if live.start.every_window else ""
        how = f"bits_per_byte, rolling windows of {live.max_length} tokens, start {live.start.text!r}{every}"
    return f"lm-eval {version('lm-eval')} {how}, 0-shot, seed {SEED}"  # nothing is drawn with it
