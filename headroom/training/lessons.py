"""Training on behalf of a method: the harness owns data, steps, learning rate and schedule."""

from __future__ import annotations

import copy
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

import torch
from datasets import Dataset
from torch import Tensor, nn

from headroom.config.recovery import Kind
from headroom.data.batches import Collator, batches
from headroom.errors import UserError
from headroom.training.fit import Curve, Schedule, fit

logger = logging.getLogger(__name__)


class Recipe(Protocol):
    """How to train: a ``train`` or ``recover`` section of params.yaml."""

    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warmup(self) -> int: ...
    @property
    def schedule(self) -> Schedule: ...


class Recovery(Recipe, Protocol):
    """How removed models are fine-tuned; methods that train do that in full, out of the same steps."""

    @property
    def kind(self) -> Kind: ...
    @property
    def adapters(self) -> int | None:
        """The rank of low-rank adapters; None where all weights learn."""
        ...


class Aim(TypedDict, total=False):
    """What a training may change of ``fit``: what it lowers, what it trains beside the weights, and who is told."""

    objective: Callable[[Any], Tensor]
    extra_parameters: Iterable[nn.Parameter]
    extra_learning_rate: float | None
    on_step: Callable[[int, float], None] | None
    stop: Callable[[], bool] | None
    widen_frozen: bool


@dataclass(frozen=True)
class Lessons:
    """What every plan of a model may learn from, and how much: the same for all methods."""

    examples: Dataset
    collator: Collator
    recover: Recovery
    scratch: Recipe | None  # the training that made the dense model; None for one that was not trained here
    fresh: Callable[[], nn.Module] | None  # the model before that training

    def teach(self, model: nn.Module, steps: int, seed: int, from_scratch: bool = False, **aim: Unpack[Aim]) -> Curve:
        """Train in place for some steps of the recovery's recipe, or of the one that made the dense model.

        ``from_scratch`` forgets first what that training learned, and what it began with, if it was a pretrained model,
        stays. Gives the curve of the loss. Raises ``UserError`` for a model that was not trained here.
        """
        recipe = self._begin(model) if from_scratch else self.recover
        curve = fit(
            model,
            batches(self.examples, self.collator, recipe.batch, seed=seed, endless=True),
            steps,
            recipe.learning_rate,
            warmup=round(recipe.warmup * steps / recipe.steps),
            schedule=recipe.schedule,
            seed=seed,
            shown=False,  # a cell fine-tunes dozens of models: one line of the log for each
            **aim,
        )
        logger.debug("fine-tuned for %d steps, loss %.3f to %.3f", steps, curve[0]["loss"], curve[-1]["loss"])
        return curve

    def _begin(self, model: nn.Module) -> Recipe:
        """Put the model before its training, and say how it was trained."""
        if self.scratch is None or self.fresh is None:
            raise UserError("This model came pretrained, so nothing can be trained from scratch in its place.")
        model.load_state_dict(self.fresh().state_dict())
        return self.scratch


class Budget:
    """How many update steps a method has spent on the weights it holds, and on each file that it kept."""

    def __init__(self, steps: int, scratch_steps: int) -> None:
        self.steps, self.scratch_steps = steps, scratch_steps
        self.spent, self.share, self.scratch = 0, 0.0, False  # on the weights in the private copy right now
        self._files: dict[str, tuple[int, int]] = {}

    def take(self, share: float, from_scratch: bool) -> int:
        """The steps that a share stands for. Raises ``UserError`` when more is asked for than is left.

        From scratch, the steps that made the dense model come on top; what was spent on the weights that are forgotten
        was spent for the new ones, and stays.
        """
        if from_scratch and not self.scratch:
            self.scratch = True
            self.share = self.spent / self.whole
        self.share += share  # shares are added up and then rounded, so that those of a whole are the whole
        steps = round(self.share * self.whole) - self.spent
        if steps < 1 or self.spent + steps > self.whole:
            raise UserError(
                f"asked for {steps} update steps with {self.spent} of {self.whole} spent; shares add up to 1 at most."
            )
        self.spent += steps
        return steps

    @property
    def whole(self) -> int:
        """All steps that the weights in hand may get."""
        return self.steps + (self.scratch_steps if self.scratch else 0)

    def note(self, path: Path) -> Path:
        """Remember what went into a file of weights."""
        self._files[path.name] = (self.spent, self.whole - self.spent)
        return path

    def knows(self, weights: object) -> bool:
        """Whether this is a file that was noted."""
        return isinstance(weights, Path) and weights.name in self._files

    def of(self, weights: Path | None) -> tuple[int, int]:
        """Steps spent on a file of weights, and steps left for it; the dense weights have all of them left."""
        return (0, self.steps) if weights is None else self._files[weights.name]

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """What is spent inside the block is spent on weights that go with its end."""
        before = self.spent, self.share, self.scratch
        try:
            yield
        finally:
            self.spent, self.share, self.scratch = before


@contextmanager
def weights_back(model: nn.Module) -> Iterator[None]:
    """The weights before the block come back after it, and so do its mode and what asked for gradients."""
    before = copy.deepcopy(model.state_dict())
    asking = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    training = model.training
    try:
        yield
    finally:
        model.load_state_dict(before)
        model.train(training)  # a training that broke off left it on
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(asking[name])
            parameter.grad = None


def keep(model: nn.Module, folder: Path) -> Path:
    """Store the weights of a model under a hash of their values."""
    from safetensors.torch import save_model

    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".draft.{os.getpid()}"
    save_model(model, str(draft))
    return draft.replace(folder / f"{hash_of_weights(model)}.safetensors")


def take(model: nn.Module, path: Path) -> None:
    """Put kept weights into a model. Raises ``UserError`` where the file does not hold what it was named after."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        load_model(model, path)
        right = hash_of_weights(model) == path.stem
    except (SafetensorError, RuntimeError):
        right = False
    if not right:
        raise UserError(f"{path}: is damaged, or was changed. Delete it; the next run trains these weights again.")


def hash_of_weights(model: nn.Module) -> str:
    """32 hex digits over all values, since files name tied weights in no fixed order."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().flatten()
        whole.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())  # numpy knows no bfloat16
    return whole.hexdigest()[:32]
