"""Which published rows to compute again: those named, those that a change adds, all of a profile, or a sample."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from random import Random

from headroom.config.params import Params, load
from headroom.config.project import profiles, root
from headroom.errors import UserError, suggest
from headroom.pipeline.timing import quality
from headroom.results.places import read_cell

Row = tuple[str, str, str]  # profile, model, method


def known() -> dict[str, Path]:
    """The params.yaml of every profile that measures methods, by the profile's name."""
    found = {}
    for path in profiles():
        try:
            found[load(root() / path).profile] = path
        except UserError:  # the profile of shapes has no methods, so it has no rows either
            continue
    return found


def row(text: str, profile: str, places: Iterable[str]) -> Row:
    """A row from what a reader has of it: the path of its record, the address of its page, or MODEL/METHOD.

    Raises ``UserError`` for anything else. The profile is the one that the path names, else the given one.
    """
    parts = PurePosixPath(text.partition("#")[0].partition("?")[0]).parts
    if len(parts) < 2:
        raise UserError(
            f"{text!r} names no row. Give the path of its record (results/quick/quality/MODEL/METHOD.json), "
            "the address of its page (.../run/MODEL/METHOD.html), or MODEL/METHOD."
        )
    named = [part for part in parts[:-2] if part in set(places)]
    return named[-1] if named else profile, parts[-2], PurePosixPath(parts[-1]).stem


def since(commit: str) -> list[str]:
    """The records that differ from a commit, or were not there. Raises ``UserError`` where Git does not know it."""
    asked = ["git", "diff", "--name-only", "--diff-filter=AM", commit, "--", "results/*/quality/*.json"]
    found = subprocess.run(asked, cwd=root(), capture_output=True, text=True, check=False)
    if found.returncode:
        raise UserError(f"--since {commit}: {found.stderr.strip().splitlines()[-1]}")
    return found.stdout.split()


def published(params: Params) -> list[Row]:
    """Every row of a profile that has a record in good order."""
    return [
        (params.profile, model, method)
        for model in params.models
        for method in params.methods
        if (record := quality(params, model, method)) and record.status == "ok"
    ]


def checked(rows: Sequence[Row], places: dict[str, Path]) -> dict[str, dict[str, list[str]]]:
    """Methods by profile and model. Raises ``UserError`` for a row that its profile does not have or measure."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for profile, model, method in dict.fromkeys(rows):
        if profile not in places:
            raise UserError(f"There is no profile {profile!r}. {suggest(profile, places)}")
        params = load(root() / places[profile])
        params.spec(model)
        params.entry(method)
        path = params.quality_record(model, method)
        if not path.is_file():
            raise UserError(f"{path}: no such record, so there is nothing to verify.")
        read_cell(path, profile, model, method)  # a record that contradicts itself needs no second computation
        found[profile][model].append(method)
    return found


def sample(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Some of the rows, drawn with a seed, in their order."""
    drawn = set(Random(seed).sample(range(len(rows)), min(count, len(rows))))
    return [one for place, one in enumerate(rows) if place in drawn]
