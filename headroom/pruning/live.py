"""`headroom.prune`: a model in memory made smaller and measured, for notebooks and scripts."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from headroom.errors import UserError
from headroom.measure.clock import Stopwatch
from headroom.pruning.budgets import budget_of
from headroom.pruning.examples import spread
from headroom.pruning.heal import Heal
from headroom.pruning.live_subject import Data, content, data_of, purpose_of, subject_of_live
from headroom.pruning.report import Report, report_of
from headroom.pruning.shrinking import Outcome, check, shrunk
from headroom.pruning.subject import IN_MEMORY, Request, check_place, worded
from headroom.pruning.watching import watched
from headroom.pruning.writing import written
from headroom.shipping import Shipped, check_format

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

OPTIONS = {"set": "parameters", "task": "data", "column": "columns"}  # whose names in Python are others
DATA = "Give data: the name of a task, or examples of your own."


class NothingFound(UserError):
    """No plan of the method meets the budget; the message says what comes nearest."""


@dataclass
class Pruned:
    """A smaller model and the report on it. ``model, report = headroom.prune(...)`` takes it apart."""

    model: PreTrainedModel  # in eval mode, where the dense one lies, with tensors of its own
    report: Report
    outcome: Outcome = field(repr=False)
    known: str = field(repr=False)  # the content of it when it was measured

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.report))

    def save(self, folder: str | Path, format: str = "auto") -> Shipped:
        """Write the folder that ``headroom prune`` writes: model, tokenizer, ``headroom.json`` and a card.

        ``format`` is as ``--format``. Raises ``UserError`` for a folder that is not empty, a format that cannot say
        what is left, and where this model or the dense one was changed since they were measured: the report would be
        about others.
        """
        dense = self.outcome.bench.subject
        if (self.known, dense.files[IN_MEMORY]) != (content(self.model), content(dense.model)):
            raise UserError(
                "the smaller model or the dense one was changed after they were measured, so the report is about "
                "others. Prune again, or write the model alone with headroom.shipping.ship(model, folder)."
            )
        with in_python():
            check_place(Path(folder))
            check_format(format)
            with threads_of(self.outcome.request.threads):
                return written(self.outcome, Path(folder), format).shipped


def prune(
    model: PreTrainedModel,
    method: str = "michel-greedy",
    target: float | None = None,
    data: Data = None,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    processor: Any = None,
    max_loss: float | str | None = None,
    min_speed: float | str | None = None,
    max_parameters: float | str | None = None,
    max_memory: float | str | None = None,
    max_kv: float | str | None = None,
    confidence: float | str = 0.95,
    examples: int | None = None,
    columns: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    uniform: bool = False,
    heal: int | None = None,
    heal_kind: str | None = None,
    heal_rate: float | None = None,
    heal_batch: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Pruned:
    """A physically smaller model, and what it costs and buys beside the dense one. ``model`` stays as it is.

    ``model``: of transformers, with a head for a task, on one device, in any mode. ``method``: of ``headroom list``, or
    ``auto``. ``data``: the name of a task or a ``Task``; a list of texts (language models), of (text, label) or of
    (source, target) pairs; a ``datasets.Dataset`` with these columns, or ``image`` and ``label``, or others that
    ``columns`` names ({ours: yours}); or a file of them. Own examples are halved: one half calibrates, the other is
    scored. They want the ``tokenizer`` or image ``processor`` that the model came with.

    How small: ``target``, the share of units, 0 to 1; or limits that hold together, searched over the method's plans.
    ``max_loss``: share of the quality above chance; ``min_speed``: times the dense model's; both certified by the
    interval at ``confidence``. ``max_parameters``; ``max_memory`` in bytes; ``max_kv`` in bytes a token. Texts as on
    the command line, such as "1%" or "2GB", do as well. ``uniform`` takes as many heads or groups from every layer.
    ``parameters`` are the method's own; ``examples`` limits those for calibration and for evaluation; ``threads`` are
    torch's, as they are set where None, and are put back.

    What was found learns again for ``heal`` steps: ``heal_kind`` is full, lora, distil or auto, ``heal_rate`` the
    learning rate, ``heal_batch`` the examples of a step; the report's quality is then that after them.

    What was measured is kept in Headroom's cache, by the hash of the model's content. Raises ``NothingFound`` where no
    plan meets the limits, ``UserError`` for whatever the caller can mend, ``KeyboardInterrupt`` where Ctrl-C came
    before anything was found.
    """
    with in_python(), threads_of(torch.get_num_threads() if threads is None else threads), Stopwatch() as watch:
        task, splits = data_of(data, purpose_of(model), columns)
        request = Request(
            model=str(getattr(model, "name_or_path", "") or type(model).__name__),
            method=method,
            target=target,
            task=task.name if task else None,
            parameters=worded(parameters or {}),
            seed=seed,
            threads=torch.get_num_threads(),
            budget=budget_of(
                text_of(max_loss),
                text_of(min_speed),
                text_of(max_parameters),
                text_of(max_memory),
                text_of(max_kv),
                target,
                str(text_of(confidence)),
            ),
            examples=examples,
            uniform=uniform,
            heal=Heal.of(heal, heal_kind, heal_rate, heal_batch),
        )
        check(request, DATA)
        subject = subject_of_live(model, task, spread(splits, examples), tokenizer, processor)
        with watched() as told, torch.random.fork_rng(devices=[]):
            outcome = shrunk(subject, request, told)
        if outcome.taken is None:
            if outcome.stopped:
                raise KeyboardInterrupt(outcome.nothing)
            raise NothingFound(outcome.nothing)
        smaller, report = own_tensors(outcome), report_of(outcome)
    return Pruned(smaller, replace(report, seconds=watch.seconds), outcome, content(smaller))


def own_tensors(outcome: Outcome) -> Any:
    """The smaller model with tensors that are not the dense one's, so that a training of it leaves that alone."""
    smaller = copy.deepcopy(outcome.model)
    if outcome.learned:
        outcome.healed = replace(outcome.learned, model=smaller)
    else:
        outcome.bench.hold(outcome.step, smaller)
    return smaller


def text_of(value: float | str | None) -> str | None:
    """A limit as the command line has it: a number in full, without an exponent."""
    if value is None or isinstance(value, str):
        return value
    try:
        return format(Decimal(str(value)), "f")
    except InvalidOperation:
        return str(value)


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    """So many threads of torch, and afterwards as many as before. Raises ``UserError`` for none."""
    if count < 1:
        raise UserError(f"threads is {count}; one or more are wanted.")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def in_python() -> Iterator[None]:
    """Errors speak of options as Python calls them: ``--max-loss`` is ``max_loss``."""

    def named(found: re.Match[str]) -> str:
        return OPTIONS.get(found[1], found[1].replace("-", "_"))

    try:
        yield
    except UserError as error:
        error.args = (re.sub(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)", named, str(error)),)
        raise
