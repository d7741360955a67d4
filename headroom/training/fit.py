"""The one training loop: for models made in the pipeline, gates that train, and removed models that recover."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch

from headroom.data.batches import per_example_loss
from headroom.training.determinism import deterministic

if TYPE_CHECKING:
    from torch import Tensor, nn

    Batch = dict[str, Tensor]

logger = logging.getLogger(__name__)

Schedule = Literal["cosine", "linear", "constant"]
Curve = list[dict[str, float]]  # of the loss, see ``curve``


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says at which step."""


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    steps: int,
    learning_rate: float,
    *,
    warmup: int = 0,
    schedule: Schedule = "cosine",
    weight_decay: float = 0.01,
    clip: float = 1.0,
    label_smoothing: float = 0.0,
    seed: int = 0,
    objective: Callable[[Batch], Tensor] | None = None,
    extra_parameters: Iterable[nn.Parameter] = (),
    extra_learning_rate: float | None = None,
    on_step: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    widen_frozen: bool = True,
    label: str = "training",
    shown: bool = True,
) -> Curve:
    """Train in place for ``steps`` steps and return the loss curve: about a hundred {"step", "loss"}, losses averaged.

    ``objective(batch)`` is the loss to lower, the mean task loss of the batch unless given. ``extra_parameters``
    (gates) train with their own learning rate, without decay, and are not clipped. Weights with ``requires_grad`` off
    stay as they are. Training happens on the device of the model. Weights of 16 bits learn as float32, with products in
    their own format, and are rounded at the end: a small step would be lost in them. Frozen ones are float32 meanwhile
    too, unless ``widen_frozen`` is off: then they take no more memory. ``stop`` is asked after every step. Comes back
    in eval mode. Bit-for-bit the same for the same arguments and thread count. ``shown`` gives a progress bar, or lines
    in the log. Raises ``TrainingError`` naming the step when a loss is not finite.
    """
    device = next(model.parameters()).device
    narrow = {weight: weight.dtype for weight in model.parameters() if weight.dtype.itemsize < 4}
    products = next(iter(narrow.values()), torch.float32)
    short = {weight: dtype for weight, dtype in narrow.items() if weight.requires_grad or widen_frozen}
    for weight in short:
        weight.data = weight.data.float()
    model.train()
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    extra = list(extra_parameters)
    optimizer = _optimizer(weights, extra, learning_rate, extra_learning_rate or learning_rate, weight_decay)
    pace = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share(step, steps, warmup, schedule))
    loss_of = objective or (lambda batch: per_example_loss(model, batch, label_smoothing).mean())
    losses: list[float] = []
    with (
        reproducible(seed, device),
        progress(label, steps) if shown else nullcontext(lambda step, loss: None) as advance,
    ):
        for step, batch in _numbered(batches, steps):
            with torch.autocast(device.type, products) if narrow else nullcontext():
                loss = loss_of({key: value.to(device) for key, value in batch.items()})
            losses.append(_finite(loss, step))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, clip)
            optimizer.step()
            pace.step()
            optimizer.zero_grad(set_to_none=True)
            advance(step, losses[-1])
            if on_step:
                on_step(step, losses[-1])
            if stop and stop():
                break
    for weight, dtype in short.items():
        weight.data = weight.data.to(dtype)
    model.eval()
    return curve(losses)


def _numbered(batches: Iterable[Batch], steps: int) -> Iterator[tuple[int, Batch]]:
    step = 0
    for step, batch in zip(range(1, steps + 1), batches, strict=False):
        yield step, batch
    if step < steps:
        raise TrainingError(f"the batches ended after step {step} of {steps}")


def _finite(loss: Tensor, step: int) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(f"the loss is {value} at step {step}; lower the learning rate or raise the warm-up")
    return value


def _optimizer(
    weights: list[nn.Parameter], extra: list[nn.Parameter], rate: float, extra_rate: float, decay: float
) -> torch.optim.Optimizer:
    """AdamW. Matrices decay; biases, norms and extra parameters do not."""
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in weights if weight.dim() > 1], "lr": rate, "weight_decay": decay},
        {"params": [weight for weight in weights if weight.dim() <= 1], "lr": rate, "weight_decay": 0.0},
        {"params": extra, "lr": extra_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], betas=(0.9, 0.98), fused=True)


def share(step: int, steps: int, warmup: int, schedule: Schedule) -> float:
    """The learning rate after ``step`` steps as a share of its highest value: up in a line, then down to nothing."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[schedule]


def curve(losses: list[float], points: int = 100) -> Curve:
    """Means over stretches of equal length, each named by its last step."""
    width = max(1, math.ceil(len(losses) / points))
    parts = [(at, losses[at : at + width]) for at in range(0, len(losses), width)]
    return [{"step": at + len(part), "loss": sum(part) / len(part)} for at, part in parts]


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Deterministic operations and random numbers from ``seed``; the state before comes back afterwards."""
    with torch.random.fork_rng(), deterministic(device):
        torch.manual_seed(seed)
        yield


@contextmanager
def progress(label: str, steps: int) -> Iterator[Callable[[int, float], None]]:
    """A bar on a terminal; elsewhere a log line every tenth of the way."""
    if not sys.stderr.isatty():
        yield lambda step, loss: _report(label, step, steps, loss)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=steps)
        yield lambda step, loss: bar.update(task, completed=step, description=f"{label}, loss {loss:.3f}")


def _report(label: str, step: int, steps: int, loss: float) -> None:
    if step * 10 // steps > (step - 1) * 10 // steps:
        logger.info("%s: step %d of %d, loss %.3f", label, step, steps, loss)
