"""Energy of a call, from the counter of an NVIDIA GPU. Needs the extra ``energy``; there is no figure without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headroom.measure.clock import Stopwatch

SECONDS = 2.0  # the counter moves about ten times a second: short runs would read steps of it


def joules(call: Callable[[], Any], device: Any) -> float | None:
    """Joules that the whole board takes for one call, idle power included; None where no counter can be read."""
    if device.type != "cuda":
        return None
    read = counter(device)
    return None if read is None else per_call(call, read, synchronised(device))


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


def synchronised(device: Any) -> Callable[[], None]:
    """Waits until the device is idle."""
    import torch

    return lambda: torch.cuda.synchronize(device)


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
