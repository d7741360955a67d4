"""By how much the translations of a model that was hardly trained are longer than those of a trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from headroom.evaluate import Evaluation
from headroom.evaluate.scores import as_found
from headroom.evaluate.translation import Translation


@dataclass(frozen=True)
class Writing:
    """Seconds and tokens of the steps of decoding that are too many."""

    seconds: float = 0.0
    tokens: float = 0.0


def written(evaluation: Evaluation, model: Any, time: Callable[[Callable[[], Any]], float]) -> Writing:
    """Half of what lies between the limit, where this model stops, and the end of the references.

    Models that have lost a little end about where the references do; broken ones write to the limit.
    """
    seconds = tokens = 0.0
    for one in evaluation.evaluators:
        if isinstance(one, Translation):
            limits, ends = steps(one)
            more = [(limit - min(limit, end)) / 2 for limit, end in zip(limits, ends, strict=True)]
            seconds += sum(more) * step(one, model, sum(limits), time)
            tokens += sum(
                count * len(together) * one.settings.beams
                for count, (together, _) in zip(more, one.batches, strict=True)
            )
    return Writing(seconds, tokens)


def steps(one: Translation) -> tuple[list[int], list[int]]:
    """Of each batch: the steps to the limit, and to the end of its longest reference."""
    limits = [max(one.limits(inputs)) for _, inputs in one.batches]
    lengths = [len(ids) for ids in one.tokenizer(one.metered[0].references, add_special_tokens=False)["input_ids"]]
    return limits, [1 + max(lengths[place] for place in together) for together, _ in one.batches]


def step(one: Translation, model: Any, whole: int, time: Callable[[Callable[[], Any]], float]) -> float:
    """Seconds of a step of decoding, from answers of full length and such of one token."""
    settings = one.settings
    with as_found(model):
        full = time(lambda: one.translate(model))
        try:
            one.settings = replace(settings, max_new_tokens=1)
            short = time(lambda: one.translate(model))
        finally:
            one.settings = settings
    return max(0.0, full - short) / max(1, whole - len(one.batches))
