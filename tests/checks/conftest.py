"""Method files written for one test, and the checks called by name."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from written_method import FILE, IN_ORDER

from headroom.checks import of_files
from headroom.checks.verdicts import check_method
from headroom.config.registry import method_class

CLEAN = {"error": "", "changed": [], "seconds": 0.0}  # importing takes a process of its own: tested apart


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Results of a method with this body, by check, on the toy BERT: ``(verdict, reason)``."""
    monkeypatch.setattr(of_files, "findings", lambda files: {str(file): CLEAN for file in files})

    def check(body: str = IN_ORDER, declares: str = "", file: str = FILE, families: tuple[str, ...] = ("bert",)):
        path = tmp_path / "tested.py"
        inside = dedent(body).strip().replace("\n", "\n        ")
        path.write_text(file.format(declares=dedent(declares).strip().replace("\n", "\n    "), body=inside))
        kind = method_class(path)
        results = check_method(kind(), path, families=families)
        return {result.check: (result.verdict, result.reason) for result in results}

    yield check
    torch.set_default_dtype(torch.float32)  # one of the tests leaves it behind on purpose
