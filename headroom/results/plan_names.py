"""A plan as a record lists it: the names of its units, and the name of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from headroom.units import Grain, Unit

STACKS = ("encoder", "decoder")
KINDS = {  # of the sites where units of a grain are
    Grain.HEAD: ("self", "cross"),
    Grain.KV_GROUP: ("self", "cross"),
    Grain.ATTENTION: ("self", "cross"),
    Grain.MLP: ("mlp",),
    Grain.BLOCK: ("block",),
}


def listed_unit(text: str) -> str:
    """The text itself. Raises ``ValueError`` where it is not how a unit is written, such as head:encoder.self.3.5."""
    try:
        unit = Unit.parse(text)
    except ValueError:
        raise ValueError("no unit is written so; wanted one such as head:encoder.self.3.5") from None
    site = unit.site
    if str(unit) != text or unit.index < 0 or site.layer < 0:
        raise ValueError(f"that is not how {unit.grain} units are written, such as head:encoder.self.3.5")
    if site.stack not in STACKS or site.kind not in KINDS[unit.grain]:
        raise ValueError(f"no model has {unit.grain} units at {site.stack}.{site.kind}")
    return text


def plan_hash(units: Sequence[str], weights: str) -> str:
    """The name of a plan: 16 hex digits over its units, as listed, and the file name of its weights, if it has any."""
    words = [*units, *([PurePosixPath(weights).name] if weights else [])]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
