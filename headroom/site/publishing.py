"""Several profiles, one site: each profile is built by itself and links to the others.

A stage depends on the tables of its own profile alone: were the default site to hold the pages of `real` too, a bare
`dvc repro` would run `real`. So every profile has its own folder, complete by itself, and a switch in its head leads to
the profiles whose pages lie beside it. ``publish`` puts all of them into one folder for a server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headroom.config.params import Params
from headroom.config.params import load as load_params
from headroom.config.project import profiles, root
from headroom.errors import UserError
from headroom.shapes.params import ShapesParams, describes
from headroom.shapes.params import load as load_shapes
from headroom.site import building, shapes
from headroom.site.templating import Sibling

FRONT = "index.html"


@dataclass(frozen=True)
class Profile:
    """A profile of either kind, as far as its pages go."""

    params: Params | ShapesParams

    @property
    def name(self) -> str:
        return self.params.profile

    @property
    def about(self) -> str:
        """What it is for, in one line; empty where its params do not say."""
        return self.params.about

    @property
    def site(self) -> Path:
        """Where its pages lie, from the project's root."""
        return self.params.site

    @property
    def ready(self) -> bool:
        """Whether its tables are there."""
        table = "published.csv" if isinstance(self.params, ShapesParams) else "leaderboard.csv"
        return (root() / self.params.results / table).is_file()

    def build(self, out: Path, siblings: Mapping[str, Sibling]) -> None:
        """Write its pages into ``out``."""
        results = root() / self.params.results
        if isinstance(self.params, ShapesParams):
            shapes.build(self.params, results, out, siblings)
        else:
            building.build(self.name, results, out, siblings, [root() / self.site])


def profile(path: Path) -> Profile:
    """The profile of a params.yaml. Raises ``UserError`` with file and key when something in it is wrong."""
    return Profile(load_shapes(path) if describes(path) else load_params(path))


def every_profile() -> list[Profile]:
    """The profiles of the project, the default one first. One whose params are wrong is not offered."""
    found = []
    for path in profiles():
        try:
            found.append(profile(root() / path))
        except UserError:
            continue
    return found


def build_own(path: Path) -> Path:
    """Build the profile of a params.yaml where that says, with a switch to the others that are built already.

    Returns the front page.
    """
    own = profile(path)
    own.build(own.site, neighbours(own))
    return own.site / FRONT


def neighbours(own: Profile) -> dict[str, Sibling]:
    """Front pages by profile, as ways from the site of ``own``; itself among them."""
    found = {own.name: Sibling(FRONT, own.about)}
    for other in every_profile():
        if other.name != own.name and (root() / other.site / FRONT).is_file():
            way = Path(os.path.relpath(other.site / FRONT, own.site)).as_posix()
            found[other.name] = Sibling(way, other.about)
    return found


def publish(out: Path) -> list[str]:
    """Build every profile that has tables into one folder, the default one at its top. Returns their names."""
    ready = [one for one in every_profile() if one.ready]
    if not ready:
        raise UserError("no profile has tables yet. Run `make repro` to make them.")
    places = {one.name: "" if place == 0 else one.name for place, one in enumerate(ready)}
    for one in ready:
        own = places[one.name]
        ways = [Path(os.path.relpath(Path(place) / FRONT, own or ".")).as_posix() for place in places.values()]
        one.build(out / own, {to.name: Sibling(way, to.about) for to, way in zip(ready, ways, strict=True)})
    return list(places)
