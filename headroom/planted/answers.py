"""A task with a known answer for any model: what the dense model says itself.

The loss is lowest near the dense model, it has gradients because the answers are no certainties, and it rises with all
that is taken away and mattered: the more so the farther apart the logits are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from headroom.data.batches import IGNORED, shifted

SPREAD = 4.0  # standard deviation of the logits: sure of an answer, and not so sure that its gradient is lost


@torch.no_grad()
def decide(model: Any, batch: dict[str, Tensor]) -> None:
    """Scale the output layer in place, so that the logits on a batch are ``SPREAD`` apart. It must not be tied."""
    output = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    factor = SPREAD / model(**batch).logits.std()
    for parameter in output.parameters():
        parameter.mul_(factor)


def with_own_answers(model: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch with labels that the model itself finds likeliest; padded positions stay left out."""
    with torch.inference_mode():
        if batch["labels"].dim() == 1:
            answers = model(**batch).logits.argmax(-1)
        elif model.config.is_encoder_decoder:
            answers = _translated(model, batch)
        else:
            answers = _continued(model, batch)
    return batch | {"labels": answers.clone()}  # a clone outside inference mode may be trained on


def _continued(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """What follows each token; the loss compares the label at t + 1 with the logits at t."""
    answers = batch["labels"].clone()
    answers[:, 1:] = model(**batch).logits[:, :-1].argmax(-1)
    return answers.masked_fill(batch["labels"] == IGNORED, IGNORED)


def _translated(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """The greedy translation: labels are also the decoder's input, so each pass settles one more position."""
    inputs, labels = {name: value for name, value in batch.items() if name != "labels"}, batch["labels"]
    for _ in range(labels.shape[1]):
        found = model(**inputs, decoder_input_ids=shifted(labels, model)).logits.argmax(-1)
        labels = found.masked_fill(batch["labels"] == IGNORED, IGNORED)
    return labels
