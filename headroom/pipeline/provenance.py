"""How a record can be got again: commit, versions, hardware, hashes, command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from headroom.config.project import root
from headroom.results.records import Provenance

PACKAGES = ("torch", "transformers", "lm-eval", "sacrebleu", "datasets", "tokenizers", "numpy", "dvc")


def provenance(command: str, machine: str, threads: int, weight_hash: str, **computed: str) -> Provenance:
    """All of this run that a reader needs to repeat it; ``computed``: on which ``device``, in what ``dtype``."""
    commit, dirty = git_state()
    versions = {name: version(name) for name in PACKAGES}
    return Provenance(
        command=command,
        commit=commit,
        dirty=dirty,
        versions={"python": sys.version.split()[0], **versions},
        machine=machine,
        threads=threads,
        weight_hash=weight_hash,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        **computed,
    )


def git_state() -> tuple[str, bool]:
    """The commit of the code, and whether code or params differ from it; ``unknown`` outside git."""
    git = shutil.which("git")
    if not git:
        return "unknown", True
    head = subprocess.run([git, "rev-parse", "HEAD"], cwd=root(), capture_output=True, text=True, check=False)
    # Results are written by the run itself: only what determines them can make it dirty.
    changed = subprocess.run(
        [
            git,
            "status",
            "--porcelain",
            "--",
            "headroom",
            "methods",
            "tasks",
            "params.yaml",
            "profiles",
            ":(exclude)*dvc.lock",
        ],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    )
    if head.returncode:
        return "unknown", True
    return head.stdout.strip(), bool(changed.stdout.strip())
