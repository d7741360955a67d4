"""What DVC calls, one stage at a time; see dvc.yaml. Only stages that need torch import it, once threads are set."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from headroom.pipeline.starting import set_threads
from headroom.terminal.options import ROOT_PARAMS, ParamsFile

app = typer.Typer(no_args_is_help=True, help="What DVC calls, one stage at a time; see dvc.yaml.")


@app.command("machine")
def machine(params: ParamsFile = ROOT_PARAMS) -> None:
    """Check the params and note what runs here."""
    from headroom.measure.machine import note
    from headroom.pipeline.preflight import preflight

    profile = preflight(params)
    note(profile.results, profile.run.threads)


@app.command("prepare")
def prepare(model: str, params: ParamsFile = ROOT_PARAMS) -> None:
    """Fetch or train a dense model and write its data splits."""
    from headroom.config.params import load
    from headroom.pipeline.prepare import prepare as make

    profile = load(params)
    set_threads(profile.run.threads)
    make(model, profile.spec(model), profile.model_folder(model), profile.data, profile.run.threads)


@app.command("quality")
def quality(
    method: str,
    model: str,
    params: ParamsFile = ROOT_PARAMS,
    strict: bool = False,
    jobs: Annotated[
        int, typer.Option(min=1, envvar="HEADROOM_JOBS", help="processes for the points, each with the run's threads")
    ] = 1,
) -> None:
    """Compute the plans of a cell and score each on every task of the model."""
    from headroom.config.params import load

    profile = load(params)
    set_threads(profile.run.threads)
    from headroom.pipeline.quality import run

    record = run(profile, str(params), method, model, jobs)
    if record.status == "failed":
        Console(stderr=True).print(f"[bold]{method} on {model} failed:[/] {record.reason}", soft_wrap=True)
        raise typer.Exit(1 if strict else 0)


@app.command("speed")
def speed(method: str, model: str, params: ParamsFile = ROOT_PARAMS) -> None:
    """Time the removed models of a cell against the dense one."""
    from headroom.config.params import load
    from headroom.pipeline.speed import run

    profile = load(params)
    run(profile, str(params), method, model, ready=lambda: set_threads(profile.run.threads))


@app.command("collect")
def collect(params: ParamsFile = ROOT_PARAMS) -> None:
    """Join the records of the listed cells into tables."""
    from headroom.config.params import load
    from headroom.pipeline.collect import run

    run(load(params))


@app.command("claims")
def claims(params: ParamsFile = ROOT_PARAMS) -> None:
    """Test the papers' predictions on the records and models of a profile."""
    from headroom.config.params import load

    profile = load(params)
    set_threads(profile.run.threads)
    from headroom.claims.stage import run

    run(profile, str(params))


@app.command("site")
def site(params: ParamsFile = ROOT_PARAMS) -> None:
    """Render the tables as static pages."""
    from headroom.site.publishing import build_own

    build_own(params)
