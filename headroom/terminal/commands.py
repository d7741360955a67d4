"""`show`, `choose`, `compare`, `export`, `site`, `schema`, `inspect`. Nothing heavy is imported before one runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from headroom.config.plain import plain
from headroom.errors import UserError
from headroom.terminal.inspecting import inspect
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole

Model = Annotated[str | None, typer.Option(help="only this model")]
Task = Annotated[str | None, typer.Option(help="only this task")]
Setting = Annotated[str | None, typer.Option(help="only `as is` or `recovered`")]
Quality = Annotated[
    Literal["task", "agreement"], typer.Option(help="by the task's own metric, or by agreement with the dense model")
]


def add_commands(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.command()(show)
    app.command()(choose)
    app.command()(compare)
    app.command()(export)
    app.command()(site)
    app.command()(schema)
    app.command()(inspect)


def show(
    model: Model = None,
    task: Task = None,
    setting: Setting = None,
    track: Annotated[str | None, typer.Option(help="only this track: forward, gradient or trained")] = None,
    quality: Quality = "task",
    everything: Annotated[bool, typer.Option("--all", help="both qualities, and the order over all models")] = False,
    params: ParamsFile = ROOT_PARAMS,
) -> None:
    """The leaderboard, with a sparkline of every curve."""
    from headroom.site.qualities import QUALITIES
    from headroom.terminal.choosing import book, chosen
    from headroom.terminal.ordering import orders_of
    from headroom.terminal.showing import board

    console, found = PlainConsole(), book(params)
    qualities = QUALITIES if everything else (quality,)
    panels = chosen(found, model, task, setting, track, qualities)
    for order in orders_of(found, qualities, setting) if everything else ():
        console.print(order)
    for cell, panel in panels:
        console.print(board(cell, panel, track, console.width), "")


def choose(
    loss: Annotated[str, typer.Option(help="most quality to lose, such as 1%")] = "1%",
    speed: Annotated[str | None, typer.Option(help="wanted: times the dense model's, such as 1.2")] = None,
    memory: Annotated[str | None, typer.Option(help="wanted: less peak memory, such as 20%")] = None,
    parameters: Annotated[str | None, typer.Option(help="wanted: fewer parameters, such as 30%")] = None,
    like: Annotated[str | None, typer.Option(help="decoder, translator, encoder (classifier) or vit")] = None,
    work: Annotated[str | None, typer.Option(help="only this work: prefill, decode, encode, generate, images")] = None,
    task: Annotated[str | None, typer.Option(help="lose so much on this task; else on none of a model's")] = None,
    setting: Setting = None,
    quality: Quality = "task",
    profile: Annotated[str | None, typer.Option(help="name of a profile, in place of --params")] = None,
    json_: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    params: ParamsFile = ROOT_PARAMS,
) -> None:
    """From a budget to a method: what loses no more than this, and buys as much as that."""
    from headroom.terminal.choosing import answered
    from headroom.terminal.wishing import file_of_profile, wish_of

    wish = wish_of(loss, speed, memory, parameters, like, work, task, setting, quality)
    found = answered(file_of_profile(profile) if profile else params, wish)
    if json_:
        typer.echo(json.dumps(found.as_json(), indent=1))
    else:
        PlainConsole().print(found, crop=False)  # commands stay in one piece


def compare(
    a: Annotated[str, typer.Argument(help="a method")],
    b: Annotated[str, typer.Argument(help="another method")],
    model: Model = None,
    task: Task = None,
    params: ParamsFile = ROOT_PARAMS,
) -> None:
    """Two methods on everything that both ran on: difference with interval, and where their curves cross."""
    from headroom.terminal.pairing import comparison

    PlainConsole().print(comparison(params, a, b, model, task))


def export(
    latex: Annotated[bool, typer.Option("--latex", help="a tabular for a paper")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="a table for an issue or a README")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="every column, full digits")] = False,
    model: Model = None,
    task: Task = None,
    setting: Setting = None,
    quality: Quality = "task",
    params: ParamsFile = ROOT_PARAMS,
) -> None:
    """Print the leaderboard as text to take elsewhere."""
    if latex + markdown + csv != 1:
        raise UserError("export: choose one of --latex, --markdown and --csv.")
    from headroom.terminal.choosing import book, chosen
    from headroom.terminal.exporting import as_csv, as_latex, as_markdown

    write = as_latex if latex else as_markdown if markdown else as_csv
    typer.echo(
        plain(write([panel for _, panel in chosen(book(params), model, task, setting, None, (quality,))])), nl=False
    )


def site(
    params: ParamsFile = ROOT_PARAMS,
    publish: Annotated[Path | None, typer.Option(help="build every profile that has tables into this folder")] = None,
) -> None:
    """Build the pages of a profile from its tables, or those of all profiles into one folder."""
    from headroom.site import publishing

    if publish is not None:
        names = publishing.publish(publish)
        typer.echo(f"wrote {publish / publishing.FRONT} ({', '.join(names)})")
        return
    typer.echo(f"wrote {publishing.build_own(params)}")


def schema(
    what: Annotated[Literal["tasks", "params"], typer.Argument(help="task files, or params.yaml")],
    out: Annotated[Path | None, typer.Option(help="write it here and not to the terminal")] = None,
) -> None:
    """The JSON schema of a kind of file, by which editors complete keys and underline mistakes."""
    from headroom.terminal.schemas import text

    if out is None:
        typer.echo(text(what), nl=False)
        return
    out.write_text(text(what), encoding="utf-8")
    typer.echo(f"wrote {out}")
