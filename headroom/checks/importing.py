"""Import method files in a process of their own and note what that does to the process.

One process can look at many files, one after the other, because importing torch takes longer than all of them. Run as
``python -m headroom.checks.importing FILE...``: prints one JSON object, file to findings.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

HEAVY = ("transformers", "datasets", "lm_eval", "headroom.pipeline", "headroom.evaluate")


@lru_cache(maxsize=8)
def findings(files: tuple[Path, ...]) -> dict[str, dict[str, Any]]:
    """For each file: ``seconds`` of process time, ``changed`` things of the process, and the ``error`` if any.

    Raises ``CalledProcessError`` when one of the files ended the process that looked.
    """
    words = [sys.executable, "-B", "-m", "headroom.checks.importing", *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    if not done.stdout:
        raise subprocess.CalledProcessError(done.returncode, words)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def state() -> dict[str, Any]:
    """Everything of a process that importing a method must not change, by its name in the complaint."""
    import torch

    return {
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),  # noqa: PTH109, a string to compare
        "sys.path": list(sys.path),
        "the warning filters": len(warnings.filters),
        "the threads": threading.active_count(),
        "python's random state": random.getstate(),
        "torch's random state": torch.get_rng_state().tolist(),
        "torch's settings": (torch.is_grad_enabled(), str(torch.get_default_dtype()), torch.get_num_threads()),
        "heavy modules": [name for name in HEAVY if name in sys.modules],
    }


def look(file: Path, written: list[str]) -> dict[str, Any]:
    """Import one file by path, as the registry does."""
    from headroom.config.registry import import_file
    from headroom.measure.clock import ProcessClock

    before, said, errors = state(), StringIO(), list[str]()
    written.clear()

    def imported() -> None:
        try:
            import_file(file)
        except Exception as problem:
            errors.append(f"{type(problem).__name__}: {problem}")

    with redirect_stdout(said):
        lap = ProcessClock().time(imported)
    after = state()
    changed = [name for name in before if before[name] != after[name]]
    changed += ["standard output"] if said.getvalue() else []
    changed += [f"the file {name}" for name in written]
    return {"seconds": lap.busy, "changed": changed, "error": "".join(errors)}


def main(files: Sequence[str]) -> None:
    import torch  # noqa: F401

    import headroom.api  # noqa: F401

    written: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            written.append(str(arguments[0]))

    sys.addaudithook(note)
    print(json.dumps({file: look(Path(file), written) for file in files}))


if __name__ == "__main__":
    main(sys.argv[1:])
