"""What a method did while it made its plans, counted where it happens, and held against what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from headroom.api import Method, Track


class Deeds:
    """Examples that went through a model, forward and backward, update steps, and what else a method asked for.

    Counted on the model itself, so ``ctx.model(**batch)`` counts as ``ctx.loss(batch)`` does, and so do passes through
    a copy that the method makes of it. Steps of optimisers are counted in the whole process.
    """

    def __init__(self, model: nn.Module) -> None:
        self.forward = self.backward = self.updates = 0
        self.examples = 0  # drawn from the calibration data
        self.chance = False  # whether the seed or the generator was looked at
        self.weights = False  # whether weights were looked at
        self.trained_by_hand = False  # whether weights were kept that an update went into which nobody gave
        self._optimiser_steps = 0
        self._before_edit = 0  # backward passes when the present edit of the weights began
        # a function of no object: whoever copies the model copies no counters with it, and is counted here
        model.register_forward_hook(lambda *passed: self._passed(*passed), with_kwargs=True)

    def _passed(self, module: nn.Module, arguments: Any, named: dict[str, Any], output: Any) -> None:
        batch = [value for value in (*arguments, *named.values()) if isinstance(value, Tensor)]
        examples = len(batch[0]) if batch and batch[0].dim() else 0
        self.forward += examples
        logits = getattr(output, "logits", None)
        if isinstance(logits, Tensor) and logits.requires_grad:  # whoever wants a gradient comes by here
            logits.register_hook(lambda _: self._passed_back(examples))

    def _passed_back(self, examples: int) -> None:
        self.backward += examples

    @contextmanager
    def optimisers_watched(self) -> Iterator[None]:
        """Count every step of every optimiser inside the block."""

        def stepped(*_: object) -> None:
            self._optimiser_steps += 1

        handle = register_optimizer_step_post_hook(stepped)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Weights may change inside the block; gradients that are asked for in it are taken for an update of them."""
        before, self._before_edit = self._before_edit, self.backward
        try:
            yield
        finally:
            self._before_edit = before

    def taught(self, steps: int) -> None:
        """The harness gave these update steps, so what went backward for them is accounted for."""
        self.updates += steps
        self._before_edit = self.backward

    def kept(self) -> None:
        """Weights are kept: whatever made them that nobody counted is a training by hand."""
        unaccounted = self._optimiser_steps > self.updates or self.backward > self._before_edit
        self.trained_by_hand = self.trained_by_hand or unaccounted


def contradiction(method: Method, deeds: Deeds) -> str:
    """What a method did and declares otherwise, as the end of a sentence; empty where word and deed agree."""
    if deeds.trained_by_hand:
        return (
            "kept weights after updates of its own, which nobody counted; train with ctx.trained, so that every method "
            "spends the same steps."
        )
    if method.track is not Track.TRAINED and deeds.updates:
        return f"spent {deeds.updates} update steps and declares track = {method.track}; declare Track.TRAINED."
    if method.track is Track.FORWARD and deeds.backward:
        return f"ran {deeds.backward} examples backward and declares track = forward; declare Track.GRADIENT."
    if not method.calibrated and deeds.examples:
        return f"drew {deeds.examples} calibration examples and declares calibrated = False; leave that line out."
    if not (method.calibrated or method.stochastic) and deeds.chance:
        return "looked at the seed and declares calibrated = False; declare stochastic = True, or let chance be."
    if not method.scores and (deeds.forward or deeds.weights):
        return "looked at the model and declares scores = False; leave that line out, so that its scores are checked."
    return ""
