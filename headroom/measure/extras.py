"""What can stand beside a timing: the speed-up of compiled models, the energy of a call, the largest batch.

Compilation shows whether a speed-up is still there when Python's share has gone. Energy comes from the counter of an
NVIDIA GPU and needs the extra ``energy``. The largest batch that fits a stated memory of a GPU is what less to keep is
good for: more to serve at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headroom.measure.clock import Clock, Stopwatch
from headroom.measure.paired import compare
from headroom.measure.work import task

if TYPE_CHECKING:
    from headroom.config.speed import Work

ONE_PASS = ("encode", "images", "prefill")  # a growing cache would be compiled again at every length
SECONDS = 2.0  # the energy counter moves about ten times a second: short runs would read steps of it
MOST = 4096  # a batch beyond which nobody asks


def compiled_ratio(dense: Any, removed: Any, work: Work, pairs: int, clock: Clock) -> dict[str, Any]:
    """The columns of a compiled comparison: a ratio, or one sentence why there is none."""
    if work.kind not in ONE_PASS:
        return {"compiled_note": f"{work.kind} is not one pass of fixed shape"}
    try:
        calls = [compiled(model, work) for model in (dense, removed)]
        (pair,) = compare(calls[0], calls[1:], pairs, clock, wall_threads=1)
    except Exception as error:  # compilers fail in many ways of their own, and the eager figure stands without them
        return {"compiled_note": f"does not compile: {type(error).__name__}"}
    return {"compiled_speedup": pair.ratio}


def compiled(model: Any, work: Work) -> Any:
    """The call of a work on a compiled model; the model itself keeps its forward."""
    import torch

    eager, torch_compiled = model.forward, torch.compile(model.forward, dynamic=False)
    call = task(model, work).call

    def run() -> None:
        model.forward = torch_compiled
        try:
            call()
        finally:
            model.forward = eager

    return run


def joules(call: Callable[[], Any], device: Any) -> float | None:
    """Joules that the whole board takes for one call, idle power included; None where no counter can be read."""
    if device.type != "cuda":
        return None
    import torch

    read = counter(device)
    return None if read is None else per_call(call, read, lambda: torch.cuda.synchronize(device))


def counter(device: Any) -> Callable[[], float] | None:
    """Reads joules since the driver was loaded; None without NVML, or on a board without the counter."""
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (ImportError, AttributeError):
        return None
    except pynvml.NVMLError:
        return None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000


def per_call(call: Callable[[], Any], read: Callable[[], float], wait: Callable[[], None]) -> float:
    """Joules of a call, over as many calls as fill ``SECONDS``."""
    with Stopwatch() as watch:
        call()
        wait()
    times = max(1, round(SECONDS / max(watch.seconds, 1e-6)))
    before = read()
    for _ in range(times):
        call()
    wait()
    return (read() - before) / times


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
