"""A context that can train: a toy model, and lessons made of toy examples whose answers are the model's own."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from methods_helpers import method

from headroom.attention import anatomy, toy, toy_batch
from headroom.data.batches import Collator
from headroom.pipeline.context import HarnessContext
from headroom.training.lessons import Lessons

# no dropout, so that what differs between two passes is what a method drew
STILL = {
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "marian": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0},
}


class Stacked(Collator):
    """Examples that are tensors of equal length already."""

    def __call__(self, examples):
        return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def still_toy(family, **changes):
    return toy(family, **(STILL.get(family, {}) | changes))


def amplify_heads(model, units, factor=5.0):
    """Scale the output columns of some heads, so that the answers hang on what they make."""
    for unit in units:
        anatomy(model).weights(unit)["out"].data.mul_(factor)


def self_taught(family, model, examples=32):
    """Toy examples with the labels that the model itself would give, so that it starts converged."""
    batch = toy_batch(family, examples)
    with torch.no_grad():
        answers = model(**batch).logits.argmax(-1)
    if batch["labels"].dim() == 1:
        batch["labels"] = answers
    elif not model.config.is_encoder_decoder:
        batch["labels"][:, 1:] = answers[:, :-1].masked_fill(batch["labels"][:, 1:] == -100, -100)
    return [{name: value[at] for name, value in batch.items()} for at in range(examples)]


def lessons(family, model, steps, learning_rate=1e-3, batch=8):
    recipe = SimpleNamespace(steps=steps, batch=batch, learning_rate=learning_rate, warmup=0, schedule="constant")
    fresh = still_toy(family, seed=5)
    return Lessons(self_taught(family, model), Stacked(), recipe, recipe, lambda: fresh)


class TaughtContext(HarnessContext):
    """The harness's context with lessons, budget and a folder for weights; what it was told is in ``said``."""

    def __init__(self, family, method, folder, model=None, steps=10, seed=0, kinds=None, **recipe):
        model = still_toy(family) if model is None else model
        taught = lessons(family, model, steps, **recipe)
        self.said: list[str] = []
        super().__init__(
            model,
            method.removes(),
            None,
            None,
            method.params,
            seed,
            say=self.hear,
            lessons=taught,
            weights_folder=folder,
            kinds=kinds,
        )
        self.batches = [Stacked()(taught.examples[at : at + 8]) for at in (0, 8)]

    def calibration(self, examples, batch_size=32):
        return iter(self.batches)

    def hear(self, text):
        self.said.append(text)


def taught(family, name, folder, model=None, steps=10, recipe=None, kinds=None, **params):
    """A method and a context in which it can train."""
    found = method(name, **params)
    return found, TaughtContext(family, found, folder, model, steps, kinds=kinds, **(recipe or {}))
