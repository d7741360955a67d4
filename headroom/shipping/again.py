"""A folder loaded again by its own loader, in a process that cannot import Headroom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headroom.shipping.probing import FLAGS

HERE = Path(__file__).parent
LONGEST = 900  # seconds
CLOSE, CLOSE_IN_HALF = 1e-3, 0.1  # of the largest logit: other kernels, or other rounding, and no other model


@dataclass(frozen=True)
class Loaded:
    """How one loader found a folder. ``difference`` is the largest of a logit; where it is None, ``why`` says why."""

    loader: str
    difference: float | None = None
    same_words: bool | None = None  # of a short greedy continuation; None where none is compared
    why: str = ""
    largest: float | None = None  # logit of the model that was written, for loaders that compute in their own way

    @property
    def equal(self) -> bool:
        """Whether it gave the same numbers to the bit, and the same words."""
        return self.difference == 0 and self.same_words is not False

    def close(self, half: bool) -> bool:
        """Whether it is the same model computed otherwise; ``half`` for numbers of 16 bits."""
        if self.difference is None or self.largest is None:
            return self.equal
        return self.difference <= self.largest * (CLOSE_IN_HALF if half else CLOSE)

    def __str__(self) -> str:
        if self.difference is None:
            return f"{self.loader}: unchecked ({self.why})"
        words = "" if self.same_words is None else ", the same words" if self.same_words else ", other words"
        of = f" (of logits up to {self.largest:.3g})" if self.largest is not None and self.difference else ""
        return f"{self.loader}: largest logit difference {self.difference:.3g}{of}{words}"


def load_again(folder: Path, loader: str, probe: Path, **options: Any) -> Loaded:
    """Load ``folder`` with a class of transformers and compare what it says with the file of ``probing.write``.

    ``options`` are of its ``from_pretrained``. A loader that fails, fills gaps or takes too long gives an unchecked
    answer with the reason; nothing is raised.
    """
    name = ", ".join((f"transformers.{loader}", *(f"{key}={value}" for key, value in options.items() if value)))
    return asked("loading_again.py", name, str(folder), loader, str(probe), json.dumps(options), json.dumps(FLAGS))


def run_llama(file: Path, probe: Path) -> Loaded:
    """Let llama.cpp compute the same, where its Python binding is installed."""
    if find_spec("llama_cpp") is None:
        return Loaded("llama.cpp", why="llama-cpp-python is not installed here")
    return asked("running_llama.py", "llama.cpp", str(file), str(probe))


def run_graph(graph: Path, probes: Sequence[Path]) -> Loaded:
    """Let onnxruntime compute the same, at inputs of several sizes."""
    return asked("running_graph.py", "onnxruntime", str(graph), *map(str, probes))


def asked(script: str, name: str, *words: str, python: str = sys.executable) -> Loaded:
    """What a script that lies here answers, in a process of its own, with as many threads as this one."""
    import torch

    with TemporaryDirectory() as scratch:
        try:
            ended = subprocess.run(
                [python, str(HERE / script), str(torch.get_num_threads()), *words],
                capture_output=True,
                text=True,
                cwd=scratch,
                env=_surroundings(scratch),
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return Loaded(name, why=f"it took more than {LONGEST} seconds")
        except OSError as error:
            return Loaded(name, why=f"no process could be started: {error}")
    return _answer(name, ended)


def _surroundings(scratch: str) -> Mapping[str, str]:
    """No network, no path to Headroom, and a cache of its own for code that comes with folders."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSTARTUP")}
    return kept | {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": scratch, "TQDM_DISABLE": "1"}


def _answer(name: str, ended: subprocess.CompletedProcess[str]) -> Loaded:
    try:
        found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return Loaded(name, why=f"its process ended with {ended.returncode}: {ended.stderr.strip()[-200:]}")
    if "error" in found:
        return Loaded(name, why=found["error"])
    return Loaded(name, found["difference"], found["words"], largest=found.get("largest"))
