"""Toy models with real tokenizers, and a few made sentences."""

import random
from typing import Any

from headroom.attention import toy
from headroom.config.metrics import METRICS, Metric
from headroom.config.model_spec import TokenizerSpec
from headroom.config.tasks import Task
from headroom.data.tokenize import train_tokenizer

WORDS = [f"w{number}" for number in range(40)]


def sentences(count: int, longest: int = 12) -> list[str]:
    """Made sentences of 1 to ``longest`` words."""
    draw = random.Random(3)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, longest))) for _ in range(count)]


def metric(name: str = "bleu", **settings: Any) -> Metric:
    """A metric of translations, as a task file states it."""
    return Metric(name=name, better="higher", unit=name, chance=0, **settings)


def task(evaluator: str, name: str = "made", **keys: Any) -> Task:
    """A task of an evaluator; its data are whatever it is given."""
    measured = METRICS[evaluator][0] if isinstance(METRICS[evaluator], tuple) else METRICS[evaluator]
    better = "lower" if measured == "bits-per-byte" else "higher"
    content = {
        "name": name,
        "version": 1,
        "summary": "made",
        "evaluator": evaluator,
        "data": {"made": "tasks/toys.py"},
        "splits": {"calibrate": "calibrate", "evaluate": "evaluate"},
        "metric": {"name": measured, "better": better, "unit": measured, "chance": 1},
        "licence": "none",
        "cite": "nobody",
    }
    return Task.model_validate(content | keys)


def tokenizer(kind: str = "word", ends: bool = True) -> Any:
    """A tokenizer of the made sentences."""
    return train_tokenizer(TokenizerSpec(kind=kind, size=300), sentences(50), ends)


def fitting(family: str, reader: Any, **changes: Any) -> Any:
    """A toy model with the vocabulary and special tokens of a tokenizer."""
    ids = {
        "pad_token_id": reader.pad_token_id,
        "bos_token_id": reader.bos_token_id,
        "eos_token_id": reader.eos_token_id,
    }
    if family in ("marian", "m2m_100"):
        ids["decoder_start_token_id"] = reader.bos_token_id
    return toy(family, vocab_size=len(reader), **(ids | changes))


def state(model: Any) -> dict[str, Any]:
    """What an evaluation has to leave alone."""
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
        "gradients": [parameter.grad is None for parameter in model.parameters()],
        "asked": [parameter.requires_grad for parameter in model.parameters()],
        "weights": [parameter.double().sum().item() for parameter in model.parameters()],
    }
