"""Bits per byte, multiple choice and continuations by lm-eval, on a model object in memory, without its logs and bars.

Import this lazily: lm-eval takes more than a second. The parts of lm-eval used are ``HFLM`` (``live.py``),
``ConfigurableTask`` and ``evaluator.evaluate``; ``simple_evaluate`` would add 1.2 s of environment report to each call.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Hashable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from lm_eval import evaluator
from lm_eval.api.instance import Instance
from torch import nn

from headroom.config.tasks import Task
from headroom.data.lm_eval_tasks import SEED, compiled_once, quiet
from headroom.data.start import Start
from headroom.errors import UserError
from headroom.evaluate.answering import AnsweringModel
from headroom.evaluate.batching import TOKENS
from headroom.evaluate.frozen import Frozen, check_finite
from headroom.evaluate.kept import ROWS, KeptTask, Rows, task_config
from headroom.evaluate.live import Known, LiveModel
from headroom.evaluate.predictions import Predictions, counts
from headroom.evaluate.said import FOLLOWS, SHOWN, beginning
from headroom.evaluate.scores import Scores, Settings, as_found


class LanguageTasks:
    """All lm-eval tasks of a model, scored together."""

    def __init__(
        self,
        tasks: Mapping[str, tuple[str | Task, Rows]],
        tokenizer: Any,
        settings: Settings,
        start: Start,
        by_length: Collection[str] = (),
    ) -> None:
        """``tasks``: name -> (evaluator, or the task itself where it names one of lm-eval's; its examples).

        ``start``: what the model wants in front of a text. ``by_length``: the tasks of several choices whose answer is
        the likeliest for its letters.

        Raises ``UserError`` where that is nothing: the first token of a text is predicted from a mark.
        """
        if start.token is None:
            raise UserError(
                "The tokenizer names neither a start nor an end mark (bos_token, eos_token), and the first token of a "
                "text is predicted from one. Name the one that the model was trained with in tokenizer_config.json."
            )
        self.settings, self.start, self.by_length = settings, start, by_length
        self.tokenizer = copy.deepcopy(tokenizer)  # lm-eval may give it a padding token
        self.known: Known = {}
        self.order: dict[str, list[int]] = {}
        self.kept: dict[str, KeptTask] = {}
        self.frozen: dict[str, Frozen] = {}
        self.dense: dict[str, Predictions] = {}  # what the dense model predicted, once it is to be remembered
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
            live.dense, live.changed = {name: self.dense[name] for name in self.dense.keys() & self.by_token}, {}
            tasks = self.kept | {name: one for frozen in self.frozen.values() for name, one in frozen.tasks.items()}
            answers = evaluator.evaluate(live, {"tasks": tasks, "groups": {}, "group_map": {}}, bootstrap_iters=0)
            said = {name: self.in_words(name, answers["samples"][name], live) for name in self.kept}
        samples = answers["samples"]
        ours = {name: self.collect(name, samples[name], live, said[name]) for name in self.kept}
        return ours | {name: self.of_lm_eval(frozen, samples, live) for name, frozen in self.frozen.items()}

    def of_lm_eval(self, frozen: Frozen, samples: Mapping[str, list[dict[str, Any]]], live: LiveModel) -> Scores:
        """Scores of one of lm-eval's own tasks, or of a group of them."""
        said = f"lm-eval {version('lm-eval')} {frozen.signature(fed(live))}"
        beside = None
        if dense := self.dense.get(frozen.name):
            beside = np.array(
                [
                    choice_counts(dense, (member, sample["doc_id"]), likelihoods(sample))
                    for member, ordered in frozen.ordered(samples)
                    for sample in ordered
                ]
            )
        return Scores(frozen.collect(samples), frozen.how.measure["name"], said, beside)

    def collect(self, name: str, samples: list[dict[str, Any]], live: AnsweringModel, words: tuple[str, ...]) -> Scores:
        """Bring lm-eval's per-example results into the order of the examples."""
        metric = "acc" if "acc" in samples[0] else "bits_per_byte"
        stats, agreement = np.empty((len(samples), 2)), np.empty((len(samples), 3))
        for sample in samples:
            check_finite(name, sample["filtered_resps"])
            place = self.order[name][sample["doc_id"]]
            stats[place] = statistics(sample[metric])
            if name in self.by_length:
                stats[place, 0] = self.likelihoods(name, sample).argmax() == sample["doc"]["gold"]
            if name in self.dense:
                agreement[place] = self.changed(name, sample, live)
        said = signature("by_length" if name in self.by_length else self.kept[name].OUTPUT_TYPE, live)
        beside = agreement if name in self.dense else None
        return Scores(stats, "accuracy" if metric == "acc" else "bits-per-byte", said, beside, words)

    @property
    def by_token(self) -> set[str]:
        """The tasks whose predictions are tokens; those of the others are choices."""
        return {name for name, task in self.kept.items() if task.OUTPUT_TYPE != "multiple_choice"}

    def remember(self) -> dict[str, Predictions]:
        """Take the predictions of the model that is scored next for the dense model's; by task.

        Of lm-eval's own tasks those of several choices have some.
        """
        choices = {name for name, frozen in self.frozen.items() if frozen.of_choices}
        self.dense = {name: Predictions(even=name not in self.by_token) for name in self.kept.keys() | choices}
        return self.dense

    def changed(self, name: str, sample: dict[str, Any], live: AnsweringModel) -> np.ndarray:
        """Counts of one example of our own, (3,): of its tokens, or of its choice."""
        if name in self.by_token:
            return live.changed[name][sample["doc_id"]]
        return choice_counts(self.dense[name], sample["doc_id"], self.likelihoods(name, sample))

    def likelihoods(self, name: str, sample: dict[str, Any]) -> np.ndarray:
        """Log likelihood of each choice of an example; by length, as if each had as many letters as all on the mean."""
        found = likelihoods(sample)
        if name not in self.by_length:
            return found
        letters = np.array([len(choice.lstrip()) for choice in sample["doc"]["choices"]])
        return found * letters.mean() / letters

    def in_words(self, name: str, samples: list[dict[str, Any]], live: AnsweringModel) -> tuple[str, ...]:
        """What the model says to the first examples: its choice, or how it goes on."""
        by_place = {self.order[name][sample["doc_id"]]: sample for sample in samples}
        first = [by_place[place] for place in range(min(SHOWN, len(samples)))]
        if name not in self.by_token:
            chosen = [(one["doc"]["choices"], int(self.likelihoods(name, one).argmax())) for one in first]
            return tuple(choices[place].strip() for choices, place in chosen)
        given = [beginning(doc["text"]) if "text" in (doc := sample["doc"]) else doc["context"] for sample in first]
        how = {"until": [], "max_gen_toks": FOLLOWS, "do_sample": False}
        asked = [Instance("generate_until", {}, (text, how), 0, (name, number, 1)) for number, text in enumerate(given)]
        return tuple(live.generate_until(asked))


def likelihoods(sample: dict[str, Any]) -> np.ndarray:
    """Log likelihood of each choice of an example."""
    return np.array([answer[0] for answer in sample["filtered_resps"]])


def choice_counts(dense: Predictions, key: Hashable, found: np.ndarray) -> np.ndarray:
    """Counts of one choice of several, (3,); the choices are as probable as they are likely beside each other."""
    return counts(dense.changes(key, torch.from_numpy(found).log_softmax(-1)[None]))


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
    "by_length": "acc_norm, log likelihood of each choice by its letters",
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
