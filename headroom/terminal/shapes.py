"""What DVC calls for the profile of shapes; see profiles/shapes/dvc.yaml. Imports torch only to time."""

from __future__ import annotations

from pathlib import Path

import typer

from headroom.pipeline.starting import set_threads
from headroom.terminal.options import ParamsFile

app = typer.Typer(no_args_is_help=True, help="Real shapes with random weights; see profiles/shapes.")

PARAMS = Path("profiles/shapes/params.yaml")


@app.command("machine")
def machine(params: ParamsFile = PARAMS) -> None:
    """Check the params and note what runs here."""
    from headroom.measure.devices import gpu
    from headroom.measure.machine import note
    from headroom.shapes.params import load

    profile = load(params)
    note(profile.results, profile.run.threads, "cuda" if gpu()[0] else "cpu")


@app.command("time")
def time_shape(shape: str, params: ParamsFile = PARAMS) -> None:
    """Time one shape: every grain and target against the dense model."""
    from headroom.shapes.params import load

    profile = load(params)
    set_threads(profile.run.threads)
    from headroom.shapes.timing import run

    run(profile, str(params), shape)


@app.command("collect")
def collect(params: ParamsFile = PARAMS) -> None:
    """Join the records of all machines into the tables."""
    from headroom.shapes.params import load
    from headroom.shapes.tables import collect as join

    join(load(params))
