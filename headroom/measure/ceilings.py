"""What a machine can do at most, measured once: multiply-accumulates in a matrix product, bytes in a copy.

A call cannot be faster than the slower of the two (Williams et al., 2009, "Roofline"). The ideal speed-up is the dense
model's bound over the removed one's. On the CPU both are ceilings of one thread, as the verdicts are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from headroom.measure.clock import Clock, clock_for
from headroom.results.speed_records import Ceilings, Machine

if TYPE_CHECKING:
    from headroom.measure.counter import Cost

TURNS = 9  # of each call; the best one counts, because a ceiling is what nothing disturbed
SIDE = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # of the square matrices: large enough to reach the plateau
COPIED = {"cpu": 2**26, "cuda": 2**30, "mps": 2**28}  # bytes: far beyond any cache

Bound = Literal["compute", "memory"]


def bound(cost: Cost, ceilings: Ceilings) -> tuple[float, Bound]:
    """Seconds that a call takes at least, and which ceiling says so."""
    compute, memory = cost.macs / ceilings.macs_per_second, cost.bytes / ceilings.bytes_per_second
    return (compute, "compute") if compute >= memory else (memory, "memory")


def ideal(dense: Cost, removed: Cost, ceilings: Ceilings) -> float | None:
    """The speed-up that the counts predict; None where nothing counted is left (an encoder without blocks)."""
    left = bound(removed, ceilings)[0]
    return bound(dense, ceilings)[0] / left if left else None


def ceilings_of(machine: Machine | None, device: Any, dtype: Any) -> Ceilings:
    """The ceilings noted for a machine, or measured now where there are none."""
    name, kind = str(dtype).removeprefix("torch."), getattr(device, "type", str(device))
    return machine.ceilings[name] if machine and name in machine.ceilings else measured(kind, name)


def with_ceilings(machine: Machine, known: Machine | None, kind: str = "cpu") -> Machine:
    """A machine with its ceilings: those that were measured on it before, so that its record stays the same.

    ``kind`` is that of the device that a run computes on here.
    """
    if known is not None and known.ceilings:
        return machine.model_copy(update={"ceilings": known.ceilings})
    return machine.model_copy(update={"ceilings": {name: measured(kind, name) for name in ("float32", "bfloat16")}})


@lru_cache
def measured(device: str, dtype: str) -> Ceilings:
    """Both ceilings of this machine for numbers of a dtype, on one thread; a second or two."""
    import torch

    from headroom.measure.paired import threads

    kind, clock = getattr(torch, dtype), clock_for(device)
    side = SIDE[device]
    left, right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    source = torch.ones(COPIED[device] // kind.itemsize, dtype=kind, device=device)
    target = torch.empty_like(source)
    with threads(1), torch.inference_mode():
        product = fastest(lambda: left @ right, clock)
        copy = fastest(lambda: target.copy_(source), clock)
    return Ceilings(macs_per_second=side**3 / product, bytes_per_second=2 * source.nbytes / copy)  # read and written


def fastest(call: Callable[[], Any], clock: Clock) -> float:
    """Seconds of the best of some turns."""
    call()
    return min(clock.time(call).busy for _ in range(TURNS))
