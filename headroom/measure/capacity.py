"""The largest batch that fits a stated memory of a GPU: less to keep is more to serve at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headroom.measure.work import task

if TYPE_CHECKING:
    from headroom.config.params import Work

MOST = 4096  # a batch beyond which nobody asks


def largest_batch(model: Any, work: Work, memory_gib: float) -> int:
    """The largest batch with which a work runs when the process may take so much of the GPU; 0 when none does."""
    import torch

    device = model.device
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, memory_gib * 2**30 / whole), device)
    try:
        return largest(lambda batch: fits(model, work, batch))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def fits(model: Any, work: Work, batch: int) -> bool:
    """Whether a batch runs through without running out of memory."""
    import torch

    try:
        task(model, work.model_copy(update={"batch": batch})).call()
        torch.cuda.synchronize(model.device)
        return True
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        torch.cuda.empty_cache()


def largest(fit: Callable[[int], bool]) -> int:
    """The largest number up to ``MOST`` that fits, where all smaller ones do: doubling, then halving the gap."""
    good, bad = 0, 1
    while bad <= MOST and fit(bad):
        good, bad = bad, 2 * bad
    while bad - good > 1 and good < MOST:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fit(middle) else (good, middle)
    return good
