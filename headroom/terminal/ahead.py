"""``headroom ahead``: everything of a profile that takes long, before ``dvc repro`` goes through it stage by stage."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from headroom.terminal.options import ROOT_PARAMS, ParamsFile

PREPARE = "from headroom.cli import main; main()"  # in a process of its own: it loads models, and who keeps books none


def ahead(
    params: ParamsFile = ROOT_PARAMS,
    workers: Annotated[
        int | None, typer.Option(min=1, envvar="HEADROOM_WORKERS", help="processes that measure; else run.workers")
    ] = None,
) -> None:
    """Measure all models of a profile at once, with many workers; `dvc repro` then only assembles."""
    from headroom.pipeline.ahead import run
    from headroom.pipeline.preflight import preflight

    profile = preflight(params)
    for model in profile.models:
        command = [sys.executable, "-c", PREPARE, "stage", "prepare", "--params", str(params), model]
        if code := subprocess.run(command, check=False).returncode:
            raise typer.Exit(code)  # it has said why
    failed = run(profile, str(params), workers)
    typer.echo(f"Now run `dvc repro`{f'; it says why {failed} answers are missing' if failed else ''}.")
