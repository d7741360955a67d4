"""The `headroom prune` command that makes a measured model again, or one like it of the reader's own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from headroom.results.asked import Entry
from headroom.results.offers import Offer, Pair
from headroom.results.records import CellRecord

MODEL, OUT = "DIR_OR_HUB_ID", "DIR"  # what a reader puts in their place
FLOOR = 1.0


def command(
    offer: Offer,
    records: Mapping[Pair, CellRecord],
    entries: Mapping[str, Entry] | None = None,
    model: str = MODEL,
    out: str = OUT,
) -> str:
    """The command, ready to copy; empty where `headroom prune` cannot do it, see ``why_none``.

    ``entries`` are the methods as params.yaml has them. Without them every parameter of the record stands in it.
    """
    record = records.get((offer.model, offer.method))
    if record is None or why_none(offer):
        return ""
    entry = (entries or {}).get(offer.method)
    given = entry.given if entry else dict(record.parameters)
    words = ["headroom", "prune", "--model", model, "--method", name_in(record.file)]
    words += ["--target", f"{offer.target:g}", "--task", offer.task]
    words += [word for name, value in given.items() for word in ("--set", f"{name}={_yaml(value)}")]
    return shlex.join([*words, "--out", out])


def name_in(file: str) -> str:
    """The name of the method in a file, as its record or its entry has it."""
    return PurePosixPath(file).stem.replace("_", "-")


def why_none(offer: Offer) -> str:
    """Why `headroom prune` cannot make it, in a sentence; empty where it can."""
    if offer.track == "trained":
        return "It trains weights: list it with the model in a params.yaml that has a `recover` section."
    if offer.target >= FLOOR:
        return "It removes all units there are, which `headroom prune` does not."
    return ""


def then(offer: Offer, record: CellRecord | None) -> str:
    """What has to follow the command, in a sentence; empty where it makes the whole of it."""
    if offer.setting != "recovered" or record is None:
        return ""
    points = [point for point in record.points if point.setting == "recovered" and not point.label]
    steps, kind = max(((point.updates, point.recovery) for point in points), default=(0, "full"))
    options = f"--heal {steps} --heal-kind {kind}"
    return f"The quality is that after {steps} steps of fine-tuning; {options} does the like, at a rate of its own."


def _yaml(value: Any) -> str:
    """A value as `--set` reads it: JSON is YAML, and most words need no quotes."""
    bare = isinstance(value, str) and YAML(typ="safe").load(value) == value
    return value if bare else json.dumps(value)
