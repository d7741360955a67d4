"""The command line. Imports torch only inside the commands that need it, so that ``--help`` answers at once."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from headroom.config.plain import PlainLines
from headroom.errors import UserError
from headroom.pruning.command import prune
from headroom.terminal import streams, surroundings
from headroom.terminal.ahead import ahead
from headroom.terminal.commands import add_commands
from headroom.terminal.estimating import estimate
from headroom.terminal.hub import fetch, pin
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole
from headroom.terminal.shapes import app as shapes
from headroom.terminal.stages import app as stage
from headroom.terminal.verifying import verify

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="How much of a transformer's attention can go, which part, by which method, and what does that buy?",
)
app.add_typer(stage, name="stage")
add_commands(app)
app.command()(verify)
app.command()(fetch)
app.command()(pin)
app.command()(ahead)
app.command()(estimate)
app.command()(prune)
stage.add_typer(shapes, name="shapes")

KEEPING = (["stage", "measure"], ["stage", "time"])  # what writes each point to the journal as it is finished

out, err = PlainConsole(), PlainConsole(stderr=True)


@app.command("list")
def list_everything(params: ParamsFile = ROOT_PARAMS) -> None:
    """The methods, models and tasks there are, and which of them a profile runs."""
    from headroom.terminal.listing import methods_table, models_table, tasks_table

    for table in (methods_table(params), models_table(params), tasks_table()):
        out.print(table)


class MethodsOrParams(typer.core.TyperGroup):
    """``headroom check METHOD`` and ``headroom check params``: what is no command is a method's name or an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = args and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, [*args] if known or not args else ["methods", *args])


check = typer.Typer(
    no_args_is_help=True, cls=MethodsOrParams, help="Look for mistakes: METHOD..., --all, or the command `params`."
)
app.add_typer(check, name="check")


@check.command("methods")
def check_methods(
    methods: Annotated[list[str] | None, typer.Argument(help="entries of params.yaml, or files in methods/")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every entry, and every file without one")] = False,
    family: Annotated[
        list[str] | None, typer.Option(help="a toy model to check on, e.g. bert; may be repeated")
    ] = None,
    figures: Annotated[bool, typer.Option(help="also planted truth and the distance to the oracle")] = False,
    csv: Annotated[Path | None, typer.Option(help="write checks and figures here as well")] = None,
    params: ParamsFile = ROOT_PARAMS,
) -> None:
    """The checks that every method has to pass, on toy models. The word `methods` may be left out."""
    from headroom.terminal.checking import report

    failed = report(methods or [], everything, family or [], figures, csv, params, out.print)
    raise typer.Exit(1 if failed else 0)


@check.command("params")
def check_params(
    params: ParamsFile = ROOT_PARAMS,
    strict: Annotated[bool, typer.Option("--strict", help="exit with 1 where a revision is no commit")] = False,
) -> None:
    """Every key and value of a params.yaml, its methods, tasks and data, and what of the Hub may still move."""
    from headroom.config.pins import loose
    from headroom.pipeline.preflight import check_models, preflight
    from headroom.shapes.params import describes

    moving: list[str] = []
    if describes(params):
        from headroom.shapes.checking import check as check_shapes

        check_shapes(params)
    else:
        profile = preflight(params)
        check_models(profile, str(params))
        moving = loose(profile, params)
        for line in moving:
            out.print(line, soft_wrap=True)
    out.print(f"{params}: in order.")
    raise typer.Exit(1 if strict and moving else 0)


@app.command("new-method")
def start_method(name: str, params: ParamsFile = ROOT_PARAMS) -> None:
    """Start a method: a file that passes every check, and its line in params.yaml."""
    from headroom.checks.new_method import new_method

    for path in new_method(name, params):
        out.print(f"wrote {path}")
    out.print(f"Edit methods/{name.replace('-', '_')}.py, then: headroom check {name}")


@app.command()
def status(
    params: ParamsFile = ROOT_PARAMS,
    strict: Annotated[
        bool, typer.Option("--strict", help="exit with 1 unless every cell is ok or unsupported")
    ] = False,
) -> None:
    """What is done, running, failed or stale, cell by cell."""
    from headroom.terminal.overview import overview

    found = overview(params)
    out.print(found)
    raise typer.Exit(1 if strict and found.unfinished else 0)


@app.command()
def claims(
    params: ParamsFile = ROOT_PARAMS,
    model: Annotated[str | None, typer.Option(help="only this model, with the reasons")] = None,
) -> None:
    """What the papers predict, and whether it holds here: the table of the claims stage."""
    from headroom.config.params import load
    from headroom.terminal.claims import table

    out.print(table(load(params), model))


def main() -> None:
    """The entry point: a user's mistake, or a refusal of the system, is one message; a bug is a traceback."""
    streams.lenient()
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(PlainLines())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    for chatty in ("httpx", "datasets", "lm_eval", "accelerate", "filelock", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # that it tries again; what came of it is said in the end
    signal.signal(signal.SIGINT, stopped)
    try:
        command()
    except UserError as error:
        fail(str(error), 2)
    except MemoryError as error:
        less = "Fewer processes (HEADROOM_WORKERS=1) or a smaller models.NAME.evaluate.batch need less."
        fail(f"Out of memory: {error or 'none is left'}. {less} Run the same command again{kept()}", 1)
    except Exception as error:
        if full := surroundings.full_disk(error):
            fail(f"{full}: no space left. Free some and run the same command again{kept()}", 1)
        said = surroundings.said(error)
        if not said or os.environ.get("HEADROOM_TRACEBACK"):
            raise
        fail(said, 2)


def command() -> None:
    """The command, and what it printed written out. A reader that has gone, as `head` does, is no mistake."""
    try:
        try:
            app()
        finally:
            streams.flush()
    except BrokenPipeError:
        streams.drop()
        raise SystemExit(1) from None


def stopped(*_: object) -> NoReturn:
    """Ctrl-C. The journal writes whole answers only, so there is nothing to save here."""
    fail(f"Stopped. Run the same command again{' to go on' if keeps() else ''}{kept()}", 130)


def keeps() -> bool:
    """Whether the command that runs keeps what it has finished; the others begin anew."""
    return sys.argv[1:3] in KEEPING or sys.argv[1:2] == ["ahead"]


def kept() -> str:
    """The end of a sentence about running the same command again."""
    return ": every finished point is kept." if keeps() else "."


def fail(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # where nobody can be told, the code tells
        err.print(message, style="bold", highlight=False, soft_wrap=True)
    raise SystemExit(code)
