"""The machine that speeds belong to, without names of hosts or people. No torch needed."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headroom.measure.devices import answer, gpu, kind
from headroom.results.files import read, write
from headroom.results.speed_records import Machine

CPUINFO = Path("/proc/cpuinfo")
VECTORS = ("amx_tile", "avx512f", "avx2")  # of x86, the widest first


def machine(threads: int, device: str = "cpu") -> Machine:
    """This machine with the pinned number of threads. The fingerprint is the same in every process.

    It covers what speeds depend on: processor, cores, accelerator and driver where the run computes on one, torch
    build, threads.
    """
    accelerator, driver = gpu(device) if kind(device) == "cuda" else ("", "")
    if kind(device) == "mps":
        accelerator = f"GPU of {processor()}"
    facts: dict[str, Any] = {
        "processor": processor(),
        "cores": cores(),
        "accelerator": accelerator,
        "driver": driver,
        "torch": version("torch"),
        "threads": threads,
    }
    text = "\n".join(f"{name}={value}" for name, value in facts.items())
    return Machine(
        fingerprint=hashlib.sha256(text.encode()).hexdigest()[:12],
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        **facts,
    )


def note(results: Path, threads: int, device: str = "cpu") -> Machine:
    """Write ``machine.json`` and the machine's own file in ``machines``, which every table of speeds refers to.

    The ceilings are measured once: later runs on the same machine find them in its file and write the same bytes.
    """
    from headroom.measure.ceilings import with_ceilings

    found = machine(threads, device)
    archive = results / "machines" / f"{found.fingerprint}.json"
    found = with_ceilings(found, read(archive, Machine) if archive.is_file() else None, kind(device))
    for path in (results / "machine.json", archive):
        write(path, found)
    return found


def processor() -> str:
    """The processor's name as its maker writes it, its model, and the widest vectors that it computes with.

    Under one name ("AMD EPYC", on rented machines) run processors of several kinds, with other speeds and other bits.
    """
    if CPUINFO.is_file():
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
        vectors = next((name for name in VECTORS if name in facts.get("flags", "").split()), "")
        kind = [f"{word} {facts[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in facts]
        if "model name" in facts:
            return ", ".join(
                [facts["model name"], *([" ".join(kind)] if kind else []), *([vectors] if vectors else [])]
            )
    if platform.system() == "Darwin":
        return answer("sysctl", "-n", "machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
