"""`headroom fetch` and `headroom pin`: what a profile takes from the Hub, brought here, and held to its commits."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from headroom.errors import UserError
from headroom.terminal.options import ROOT_PARAMS, ParamsFile
from headroom.terminal.printing import PlainConsole

if TYPE_CHECKING:
    from headroom.config.pins import Pin


def fetch(params: ParamsFile = ROOT_PARAMS) -> None:
    """Bring the models and data of a profile here; afterwards it runs without a network (HF_HUB_OFFLINE=1)."""
    from headroom.config.params import load
    from headroom.pipeline.fetching import wanted

    out, troubles = PlainConsole(), list[str]()
    everything = wanted(load(params))
    for number, one in enumerate(everything, 1):
        out.print(f"{number}/{len(everything)} {one.name}", soft_wrap=True)
        try:
            out.print(f"  {one.fetch()}.", soft_wrap=True)
        except UserError as error:
            out.print("  could not be had; the reason is said at the end.")
            troubles.append(f"{one.name}: {error}" if not str(error).startswith(one.name) else str(error))
    if troubles:
        kept = f"{len(everything) - len(troubles)} of {len(everything)} are here and kept; these are not:"
        raise UserError("\n".join([kept, *troubles]))
    out.print(f"{len(everything)} of {len(everything)} are here." if everything else f"{params}: nothing to fetch.")


def pin(params: ParamsFile = ROOT_PARAMS) -> None:
    """Write the commits of today in the place of branches and tags, in a profile and in the files of its tasks."""
    from headroom.config.params import load
    from headroom.config.pins import pins, write
    from headroom.data.hub import commit_of

    found: list[tuple[Pin, str]] = []
    out, troubles = PlainConsole(), list[str]()
    every = list(pins(load(params), params))
    for one in every:
        if one.fixed:
            continue
        try:
            found.append((one, commit_of(one.name, one.revision, one.kind)))
        except UserError as error:
            troubles.append(f"{one.where}: {error}")
    for file, group in groupby(found, key=lambda pair: pair[0].file):
        written = list(group)
        write(file, written)
        for one, commit in written:
            out.print(f"{one.where}: {one.revision} is {commit}", soft_wrap=True)
    if troubles:
        raise UserError("\n".join(troubles))
    if not found:
        out.print(f"{params}: all {len(every)} revisions are commits." if every else f"{params}: names no revision.")
