"""A folder loaded again by its own loader, in a process that cannot import Headroom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headroom.shipping.probing import FLAGS

SCRIPT = Path(__file__).with_name("loading_again.py")
LONGEST = 900  # seconds


@dataclass(frozen=True)
class Loaded:
    """How one loader found a folder. ``difference`` is the largest of a logit; where it is None, ``why`` says why."""

    loader: str
    difference: float | None = None
    same_words: bool | None = None  # of a short greedy continuation; None where the model writes none
    why: str = ""

    @property
    def equal(self) -> bool:
        """Whether it gave the same numbers to the bit, and the same words."""
        return self.difference == 0 and self.same_words is not False

    def __str__(self) -> str:
        if self.difference is None:
            return f"{self.loader}: unchecked ({self.why})"
        words = "" if self.same_words is None else ", the same words" if self.same_words else ", other words"
        return f"{self.loader}: largest logit difference {self.difference:.3g}{words}"


def load_again(folder: Path, loader: str, probe: Path, trusted: bool) -> Loaded:
    """Load ``folder`` with a class of transformers and compare what it says with the file of ``probing.write``.

    A loader that fails, fills gaps or takes too long gives an unchecked answer with the reason; nothing is raised.
    """
    import torch

    name = f"transformers.{loader}" + (", trust_remote_code=True" if trusted else "")
    words = [
        str(folder),
        loader,
        str(probe),
        str(torch.get_num_threads()),
        "yes" if trusted else "no",
        json.dumps(FLAGS),
    ]
    with TemporaryDirectory() as scratch:
        try:
            ended = subprocess.run(
                [sys.executable, str(SCRIPT), *words],
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
    return Loaded(name, found["difference"], found["words"])
