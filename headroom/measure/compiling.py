"""The same comparison with both models compiled: whether the speed-up is still there when Python's share has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headroom.measure.clock import Clock
from headroom.measure.paired import compare
from headroom.measure.work import task

if TYPE_CHECKING:
    from headroom.config.params import Work

ONE_PASS = ("encode", "images", "prefill")  # a growing cache would be compiled again at every length


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
