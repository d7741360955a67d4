"""Where models compute: what ``run.device`` stands for on this machine, found without torch and held against it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version

from headroom.errors import UserError

HIDDEN = ("", "-1")  # what people set CUDA_VISIBLE_DEVICES to, so that nothing is seen


def resolved(asked: str) -> str:
    """The device that ``run.device`` names; for ``auto`` an accelerator where torch has one here, else the CPU."""
    if asked != "auto":
        return asked
    if gpu()[0]:
        return "cuda"
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return "mps" if apple else "cpu"


def kind(device: str) -> str:
    """``cpu``, ``cuda`` or ``mps``: what determines an answer, whichever card of that kind it is."""
    return device.partition(":")[0]


def gpu(device: str = "cuda") -> tuple[str, str]:
    """Name and driver of an NVIDIA GPU; empty when there is none, it is hidden, or torch was built without."""
    if version("torch").endswith("+cpu") or os.environ.get("CUDA_VISIBLE_DEVICES") in HIDDEN:
        return "", ""
    lines = answer("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines()
    place = int(device.partition(":")[2] or 0)
    name, _, driver = lines[place].partition(",") if place < len(lines) else ("", "", "")
    return name.strip(), driver.strip()


def answer(*command: str) -> str:
    """What a program prints, or nothing when it is not there or fails."""
    found = shutil.which(command[0])
    if found is None:
        return ""
    done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else ""


def check(device: str) -> None:
    """Raises ``UserError`` where torch cannot compute on a device that :func:`resolved` gave."""
    import torch

    wanted, _, place = device.partition(":")
    if wanted == "cuda" and not torch.cuda.is_available():
        why = "built without CUDA" if torch.version.cuda is None else "finds no GPU that it can use"
        raise UserError(
            f"params.yaml: run.device is {device}, and torch {torch.__version__} here {_is(why)}. "
            "Name cpu, or install torch for this machine's accelerator."
        )
    if wanted == "cuda" and int(place or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UserError(f"params.yaml: run.device is {device}; the last GPU of this machine is cuda:{last}.")
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise UserError("params.yaml: run.device is mps, which torch cannot use here. Name cpu.")


def _is(why: str) -> str:
    return f"is {why}" if why.startswith("built") else why
