"""What DVC calls, one stage at a time; see dvc.yaml. Only stages that need torch import it, once threads are set."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from headroom.pipeline.starting import set_threads
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole

app = typer.Typer(no_args_is_help=True, help="What DVC calls, one stage at a time; see dvc.yaml.")


@app.command("machine")
def machine(params: ParamsFile = ROOT_PARAMS) -> None:
    """Check the params, note what runs here, and take away records that nobody may publish."""
    from headroom.measure.devices import resolved
    from headroom.measure.machine import note
    from headroom.pipeline import inputs
    from headroom.pipeline.preflight import preflight
    from headroom.pipeline.recording import forget

    profile = preflight(params)
    note(profile.results, profile.run.threads, resolved(profile.run.device))
    inputs.note(profile)
    for folder, count in Counter(path.parent for path in forget(profile)).items():
        typer.echo(f"{folder}: records that failed, or of no method or model in {params}, are taken away: {count}.")


@app.command("prepare")
def prepare(model: str, params: ParamsFile = ROOT_PARAMS) -> None:
    """Fetch or train a dense model and write its data splits, unless they are there already."""
    from headroom.config.params import load

    profile = load(params)
    set_threads(profile.run.threads)
    from headroom.measure.devices import resolved
    from headroom.pipeline.prepare import prepare as make

    run = profile.run
    make(model, profile.spec(model), profile.model_folder(model), profile.data, run.threads, resolved(run.device))


@app.command("measure")
def measure(
    model: str,
    params: ParamsFile = ROOT_PARAMS,
    strict: Annotated[bool, typer.Option("--strict", help="exit with 1 when a cell failed")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, envvar="HEADROOM_WORKERS", help="processes that measure; else run.workers")
    ] = None,
) -> None:
    """Compute the plans of every method on a model and score each on every task."""
    from headroom.config.params import load
    from headroom.pipeline.measure import run

    records = run(load(params), str(params), model, workers)
    failed = [record for record in records if record.status == "failed"]
    for record in failed:
        PlainConsole(stderr=True).print(f"{record.method} on {model} failed: {record.reason}", soft_wrap=True)
    raise typer.Exit(1 if strict and failed else 0)


@app.command("time")
def time_model(model: str, params: ParamsFile = ROOT_PARAMS) -> None:
    """Time the removed models of every method against the dense one."""
    from headroom.config.params import load
    from headroom.pipeline.timing import run

    profile = load(params)
    run(profile, str(params), model, ready=lambda: set_threads(profile.run.threads))


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
