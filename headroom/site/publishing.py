"""Several profiles, one site: each profile is built by itself and links to the others.

A stage depends on the tables of its own profile alone: were the default site to hold the pages of `real` too, a bare
`dvc repro` would run `real`. So every profile has its own folder, complete by itself, and a switch in its head leads to
the profiles whose pages lie beside it. ``publish`` puts all of them into one folder for a server.
"""

from __future__ import annotations

import os
from pathlib import Path

from headroom.errors import UserError
from headroom.params import Params, load
from headroom.project import root
from headroom.site.building import build
from headroom.sync import profiles

FRONT = "index.html"


def every_profile() -> list[Params]:
    """The profiles of the project, the default one first. One whose params are wrong is not offered."""
    found = []
    for path in profiles():
        try:
            found.append(load(root() / path))
        except UserError:
            continue
    return found


def build_own(params: Params) -> None:
    """Build a profile where its params say, with a switch to the others that are built already."""
    build(params.profile, params.results, params.site, neighbours(params))


def neighbours(params: Params) -> dict[str, str]:
    """Front pages by profile, as ways from the site of ``params``; itself among them."""
    found = {params.profile: FRONT}
    for other in every_profile():
        if other.profile != params.profile and (root() / other.site / FRONT).is_file():
            found[other.profile] = Path(os.path.relpath(other.site / FRONT, params.site)).as_posix()
    return found


def publish(out: Path) -> list[str]:
    """Build every profile that has tables into one folder, the default one at its top. Returns their names."""
    ready = [params for params in every_profile() if (root() / params.results / "leaderboard.csv").is_file()]
    if not ready:
        raise UserError("no profile has tables yet. Run `make repro` to make them.")
    places = {params.profile: "" if place == 0 else params.profile for place, params in enumerate(ready)}
    for params in ready:
        own = places[params.profile]
        ways = {name: os.path.relpath(Path(place) / FRONT, own or ".") for name, place in places.items()}
        ways = {name: Path(way).as_posix() for name, way in ways.items()}
        build(params.profile, root() / params.results, out / own, ways)
    return list(places)
