"""`headroom estimate`: what a profile will take, before anything of it runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from headroom.terminal.layout import Listing
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole

if TYPE_CHECKING:
    from headroom.estimate.figures import Estimate, ModelEstimate

HEADINGS = ("model", "fetch", "memory", "points", "tokens", "hours")
UNKNOWN = "unknown"
WORDS = {"measured": "on measurement", "records": "on published records", "assumed": "on assumption"}


def estimate(
    params: ParamsFile = ROOT_PARAMS,
    price: Annotated[float | None, typer.Option(min=0, help="dollars that an hour of this machine costs")] = None,
    model: Annotated[list[str] | None, typer.Option(help="only this model; may be repeated")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines: bytes, counts, seconds")] = False,
) -> None:
    """What a profile takes before it runs: GB to fetch, memory, points, tokens, hours here, dollars."""
    from headroom.config.params import load

    profile = load(params)
    from headroom.pipeline.starting import set_threads

    set_threads(profile.run.threads)
    from headroom.estimate.whole import estimate as estimated

    told = PlainConsole(stderr=True)
    found = estimated(profile, str(params), model or [], price, lambda text: told.print(text, soft_wrap=True))
    if as_json:
        typer.echo(json.dumps(found.content(), indent=1))
        return
    out = PlainConsole()
    out.print(listing(found))
    for sentence in [*missing(found), *sentences(found)]:
        out.print(sentence, soft_wrap=True)


def listing(found: Estimate) -> Listing:
    """A row a model and one for all; under each what its figures rest on."""
    table = Listing(f"Profile {found.profile}, before it runs", HEADINGS, frozenset(HEADINGS[1:]))
    for row in found.rows:
        table.add(*facts(row), text=" ".join(row.notes))
    whole = found.content()["all"]
    fetched, known = found.fetched
    table.add(
        "in all",
        gigabytes(fetched) if known else f"{gigabytes(fetched)} and {UNKNOWN}",
        gigabytes(whole["memory_bytes"]),
        count(whole["points"], any(row.bound for row in found.rows)),
        count(whole["tokens"]),
        hours(found.seconds) if found.known else f"{hours(found.seconds)} and {UNKNOWN}",
        style="bold",
    )
    return table


def missing(found: Estimate) -> list[str]:
    """Why figures are unknown, each reason once with the models that it is one for."""
    whose: dict[str, list[str]] = {}
    for row in found.rows:
        for reason in (*row.needs.reasons, *row.reasons):
            whose.setdefault(reason, []).append(row.model)
    return [f"Unknown of {', '.join(models)}: {reason}" for reason, models in whose.items()]


def facts(row: ModelEstimate) -> tuple[str, ...]:
    """One model's, a fact for each heading."""
    memory = gigabytes(row.memory)
    return (
        row.model,
        gigabytes(row.needs.whole),
        f"{row.workers} x {memory}" if row.memory and row.workers > 1 else memory,
        count(row.points, row.bound),
        count(row.tokens),
        UNKNOWN if row.seconds is None else hours(row.seconds),
    )


def sentences(found: Estimate) -> list[str]:
    """What the hours rest on, how far off they may be, and what they cost."""
    low, high = found.span
    shares = ", ".join(f"{share:.0%} {WORDS[basis]}" for basis, share in found.shares.items() if share >= 0.005)
    rest = "" if found.known else " Those of the models whose hours are unknown come on top."
    lines = [f"Hours: {hours(found.seconds)}, between {hours(low)} and {hours(high)}; they rest {shares}.{rest}"]
    if found.dollars is not None:
        more = "" if found.known else ", and what is unknown comes on top"
        lines.append(
            f"Dollars: {found.dollars:,.2f}, between {found.dollars * low / found.seconds:,.2f} and "
            f"{found.dollars * high / found.seconds:,.2f}, at {found.price:,.2f} an hour{more}."
        )
    if any(row.bound for row in found.rows):
        lines.append("Points are at most so many: where two methods remove the same units, they are measured once.")
    return [*lines, *found.notes]


def gigabytes(size: int | None) -> str:
    return UNKNOWN if size is None else f"{size / 1e9:.2f} GB" if size else "0 GB"


def count(number: int | None, bound: bool = False) -> str:
    if number is None:
        return UNKNOWN
    said = f"{number / 1e6:,.1f} M" if number >= 10**6 else f"{number:,}"
    return f"<= {said}" if bound else said


def hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 36_000 else f"{seconds / 3600:.2f} h"
