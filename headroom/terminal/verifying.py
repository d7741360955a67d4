"""`headroom verify`: published rows computed again on this machine, what came of it, and a report to carry along."""

from __future__ import annotations

import subprocess
from typing import Annotated

import typer

from headroom.errors import UserError
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole

STYLES = {"same to the bit": "green", "same within the intervals": "green", "differs": "bold red"}


def verify(
    rows: Annotated[
        list[str] | None, typer.Argument(help="records, pages of rows, or MODEL/METHOD of the profile in --params")
    ] = None,
    params: ParamsFile = ROOT_PARAMS,
    everything: Annotated[bool, typer.Option("--all", help="every row of the profile")] = False,
    since: Annotated[str | None, typer.Option(help="rows of all profiles that differ from this commit")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="only so many of them, drawn with --seed")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the draw")] = 0,
    speed: Annotated[bool, typer.Option("--speed", help="time them again as well")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="train or fetch the models anew too")] = False,
    by: Annotated[str | None, typer.Option(help="who signs the reports; else Git's user.name")] = None,
    report: Annotated[bool, typer.Option(help="write results/PROFILE/verified/MODEL/METHOD.json")] = True,
) -> None:
    """Compute published rows again: same to the bit, same within their intervals, or what differs first."""
    from headroom.config.params import load
    from headroom.config.project import root
    from headroom.pipeline.starting import set_threads
    from headroom.results.files import write
    from headroom.results.verified import place
    from headroom.terminal.layout import Listing
    from headroom.verify import choosing

    places = choosing.known()
    here = load(params)
    wanted = [choosing.row(text, here.profile, places) for text in rows or []]
    wanted += choosing.published(here) if everything else []
    wanted += [choosing.row(path, here.profile, places) for path in choosing.since(since)] if since else []
    if not (rows or everything or since):
        raise UserError("Name rows to verify, or give --all or --since COMMIT; --sample N takes some of them.")
    chosen = choosing.checked(choosing.sample(wanted, sample, seed) if sample else wanted, places)
    out, differing = PlainConsole(), 0
    table = Listing("Rows computed again on this machine", ("row", "verdict", "points"), frozenset({"points"}))
    for profile, models in chosen.items():
        own = load(root() / places[profile])
        set_threads(own.run.threads)
        from headroom.verify.again import verified

        for found in verified(own, str(places[profile]), models, speed, fresh, by if by is not None else signer()):
            if report:
                write(place(own.results, found.model, found.method), found)
            differing += found.verdict == "differs"
            said = " ".join(part for part in (found.reason, found.speed) if part)
            style = STYLES.get(found.verdict, "yellow")
            table.add(f"{found.model}/{found.method}", found.verdict, str(found.points), text=said, style=style)
    if table.rows:
        out.print(table)
    out.print(f"{len(table.rows)} rows verified, {differing} differ.")
    raise typer.Exit(1 if differing else 0)


def signer() -> str:
    """Who Git says is here; empty where it does not."""
    found = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    return found.stdout.strip()
