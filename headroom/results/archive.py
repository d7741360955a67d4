"""Speed records are kept per machine: a stage knows this machine only, the tables show every one that was measured."""

from __future__ import annotations

import logging
from pathlib import Path
from shutil import copyfile

from headroom.errors import UserError
from headroom.results.files import LARGEST, read, write
from headroom.results.places import in_place
from headroom.results.speed_records import Machine, SpeedRecord

logger = logging.getLogger(__name__)


def archive(here: Path, results: Path, profile: str, model: str, method: str) -> None:
    """Keep the speed record of a cell under its machine, in the results folder of a profile.

    One that cannot be believed goes to the place of this machine as it is, so that its row says what is wrong and no
    older timing stands in for it.
    """
    try:
        record = read(here, SpeedRecord)
        in_place(record, {"profile": profile, "model": model, "method": method}, str(here))
        write(place(results, record.machine, model, method), record)
    except UserError as error:
        logger.warning("%s", error)
        machine = fingerprint(results)
        if machine and here.is_file() and here.stat().st_size <= LARGEST:
            kept = place(results, machine, model, method)
            kept.parent.mkdir(parents=True, exist_ok=True)
            copyfile(here, kept)


def place(results: Path, machine: str, model: str, method: str) -> Path:
    """Where the speed record of a cell on a machine is kept."""
    return results / "speed" / machine / model / f"{method}.json"


def fingerprint(results: Path) -> str:
    """The machine that the profile's stages ran on last; empty where that is not known."""
    try:
        return read(results / "machine.json", Machine).fingerprint
    except (UserError, FileNotFoundError):
        return ""
