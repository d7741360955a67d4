"""The report of a verification: a published row that was computed again, by whom, where, and what came of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from headroom.errors import UserError
from headroom.results.files import read
from headroom.results.records import CellRecord, Strict
from headroom.results.speed_records import Fingerprint

Verdict = Literal["same to the bit", "same within the intervals", "differs", "cannot be checked"]


class Verified(Strict):
    """One row, computed again on one machine. Small enough for a pull request to carry."""

    profile: str
    model: str
    method: str
    verdict: Verdict
    reason: str = Field("", description="what differs first, or why it cannot be checked; empty for the same bits")
    record: str = Field(description="SHA-256 of the record that was verified: another record is not")
    points: int = Field(0, ge=0, description="points that were computed again")
    elsewhere: list[str] = Field(default_factory=list, description="what of this environment is not the record's")
    speed: str = Field("", description="what came of timing it again; empty where nobody did")
    machine: Fingerprint
    system: str = Field(description="operating system and processor architecture")
    threads: int = Field(ge=1)
    versions: dict[str, str]
    commit: str = Field(description="of the code that computed it again")
    dirty: bool
    date: str
    by: str = Field("", description="who ran it, as they sign")


def hash_of(record: CellRecord) -> str:
    """SHA-256 over all that a record says, whatever the layout of its file.

    What is as it would be if nothing was said is left out: a field that a later version adds changes no record.
    """
    text = json.dumps(record.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def place(results: Path, model: str, method: str) -> Path:
    """Where the report of a row lies."""
    return results / "verified" / model / f"{method}.json"


def last(results: Path, record: CellRecord) -> tuple[Verified | None, bool]:
    """The report on a record, None where there is none that can be read; and whether the record is still that one."""
    path = place(results, record.model, record.method)
    try:
        found = read(path, Verified) if path.is_file() else None
    except UserError:
        found = None
    return found, found is not None and found.record == hash_of(record)
