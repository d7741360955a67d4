"""Peak memory: of this process so far, and of a model at work in a process that does nothing else.

``python -m headroom.measure.memory`` is that process: it reads a request from its standard input and prints MiB. What
the libraries take is subtracted, after a rehearsal with a toy has brought in all code that the model will run; what
building the model took for a while is forgotten before the work begins.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headroom.config.speed import Work

logger = logging.getLogger(__name__)

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CALLS = 2


def peak_memory_mb() -> float:
    """Largest resident memory of the process so far, MiB. It never falls, so it belongs to all that ran before too."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


def saved_peak_mb(model: Any, work: Work) -> float | None:
    """Peak memory of a model at a work: it is saved, and loaded again by the fresh process. MiB; None off Linux."""
    from headroom.attention import save_removed

    with tempfile.TemporaryDirectory() as folder:
        save_removed(model, folder)
        return peak_mb({"folder": folder, "device": str(model.device)}, work)


def peak_mb(source: dict[str, Any], work: Work) -> float | None:
    """Ask a fresh process; ``source`` says where the model comes from, see ``model_of``. MiB; None without an answer.

    A process that dies, for want of memory above all, leaves the figure blank and the timings as they are.
    """
    import torch

    request = {"source": source, "work": work.model_dump(mode="json"), "threads": torch.get_num_threads()}
    command = [sys.executable, "-m", "headroom.measure.memory"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        logger.warning("the process that measures memory ended with %d: %s", done.returncode, done.stderr[-500:])
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """The fresh process."""
    request = json.loads(sys.stdin.read())
    import torch

    from headroom.config.speed import Work

    torch.set_num_threads(request["threads"])
    import transformers.modeling_utils  # noqa: F401  - belongs to the libraries, not to the model

    print(json.dumps(measured(request["source"], Work.model_validate(request["work"]))))


def measured(source: dict[str, Any], work: Work) -> float | None:
    """Peak of the work beyond what was there before the model."""
    import torch

    from headroom.measure.work import task

    on_gpu = str(source.get("device", "cpu")).startswith("cuda")
    rehearse(source)
    before = None if on_gpu else resident_mb("VmRSS")
    model = model_of(source)
    with torch.inference_mode():
        one = task(model, work)
        forget_peak(on_gpu)
        for _ in range(CALLS):
            one.call()
    peak = highest_mb(on_gpu)
    return peak if on_gpu or peak is None or before is None else peak - before


def rehearse(source: dict[str, Any]) -> None:
    """Run a toy of the same family and number format: its code, tens of MiB, is the libraries' and not the model's."""
    import torch

    from headroom.attention import FAMILY_NAMES, toy, toy_batch

    if "folder" in source:
        config = json.loads((Path(source["folder"]) / "config.json").read_text(encoding="utf-8"))
        family, dtype = config["model_type"], config.get("dtype") or "float32"
    else:
        family, dtype = source["config"]["family"], source["dtype"]
    if family in FAMILY_NAMES:
        kind = getattr(torch, dtype)
        batch = {
            name: value.to(kind) if value.is_floating_point() else value for name, value in toy_batch(family).items()
        }
        toy(family).to(kind)(**batch)


def model_of(source: dict[str, Any]) -> Any:
    """A model from the ``folder`` of a saved one, or from a ``shape`` with the ``units`` to remove."""
    if "folder" in source:
        from headroom.attention import load_removed

        return load_removed(source["folder"], source["device"])
    from headroom.models.shapes import built

    return built(source)


def forget_peak(on_gpu: bool) -> None:
    """Give back what building left over, and begin the peak anew from what is there now."""
    import torch

    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR.exists():
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text("5")  # proc(5): resets the peak resident set size


def highest_mb(on_gpu: bool) -> float | None:
    """MiB that were needed at the most since ``forget_peak``, of the GPU or of this process; None where nobody says."""
    if not on_gpu:
        return resident_mb("VmHWM")
    import torch

    return torch.cuda.max_memory_allocated() / 2**20


def resident_mb(name: str) -> float | None:
    """``VmRSS`` or ``VmHWM`` of this process, MiB; None where the kernel does not say."""
    if not CLEAR.exists():
        return None
    line = next((line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:")), None)
    return None if line is None else int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
