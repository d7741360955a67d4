"""Read the records of a profile; one that cannot be believed becomes a failed one that says why, and ends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from headroom.errors import UserError
from headroom.results.asked import Asked
from headroom.results.between import odd_ones, untimed
from headroom.results.files import MEND, read
from headroom.results.places import read_cell, read_speed, unlike_asked
from headroom.results.records import CellRecord
from headroom.results.refused import refused_cell, refused_speed, unknown_machine
from headroom.results.speed_records import Machine, SpeedRecord

Pair = tuple[str, str]  # (model, method)


def cells(folder: Path, profile: str, pairs: Sequence[Pair], asked: Asked | None) -> dict[Pair, CellRecord]:
    """The quality records of ``pairs`` that have a file, in their order, the refused ones as failed cells."""
    found: dict[Pair, CellRecord] = {}
    reasons: dict[Pair, str] = {}
    for model, method in pairs:
        place = f"quality/{model}/{method}.json"
        if not (folder / place).exists():
            continue
        try:
            record = found[model, method] = read_cell(folder / place, profile, model, method, shown(folder, place))
        except UserError as error:
            reasons[model, method] = str(error)
            continue
        for key, message in unlike_asked(record, asked) if asked else ():
            reasons.setdefault((model, method), f"{shown(folder, place)}: {key} {message}. {MEND}")
    for model in dict.fromkeys(model for model, _ in pairs):
        mine = {method: record for (name, method), record in found.items() if name == model}
        sound = {method: record for method, record in mine.items() if (model, method) not in reasons}
        for method, key, message in odd_ones(sound):
            where = shown(folder, f"quality/{model}/{method}.json")
            reasons.setdefault((model, method), f"{where}: {key} {message}. {MEND}")
    good = {pair: record for pair, record in found.items() if pair not in reasons}
    return {
        pair: good.get(pair) or _refused(profile, pair, reasons[pair], good, asked)
        for pair in pairs
        if pair in good or pair in reasons
    }


def _refused(profile: str, pair: Pair, reason: str, good: Mapping[Pair, CellRecord], asked: Asked | None) -> CellRecord:
    model, method = pair
    like = next((record for (_, name), record in good.items() if name == method), None)
    family = next((record.family for (name, _), record in good.items() if name == model), "")
    entry = asked.methods.get(method) if asked else None
    return refused_cell(profile, model, method, reason, like, family, entry.file if entry else "")


def machines(folder: Path) -> dict[str, tuple[Machine, str]]:
    """Every machine that was measured on, by fingerprint, and why it cannot be believed; empty where it can.

    It is the one list that only the disk knows.
    """
    found = {}
    for path in sorted((folder / "machines").glob("*.json")):
        where = shown(folder, f"machines/{path.name}")
        try:
            machine, trouble = read(path, Machine, where), ""
            if machine.fingerprint != path.stem:
                trouble = (
                    f"{where}: fingerprint is {machine.fingerprint!r}, and the file is that of {path.stem}. {MEND}"
                )
        except (UserError, FileNotFoundError) as error:
            trouble = str(error)
        found[path.stem] = (unknown_machine(path.stem), trouble) if trouble else (machine, "")
    return found


def speeds(
    folder: Path, profile: str, machine: str, trouble: str, quality: Mapping[Pair, CellRecord], pairs: Iterable[Pair]
) -> dict[tuple[str, str, str], SpeedRecord]:
    """The speed records of a machine that have a file; ``trouble`` is why nothing of the machine can be believed."""
    found = {}
    for model, method in pairs:
        place = f"speed/{machine}/{model}/{method}.json"
        if not (folder / place).exists():
            continue
        where, reason = shown(folder, place), trouble
        try:
            record = read_speed(folder / place, profile, machine, model, method, where)
        except UserError as error:
            reason = reason or str(error)
        else:
            cell = quality.get((model, method))
            wrong = next(untimed(record, cell), None) if cell and cell.points else None
            reason = reason or (f"{where}: {wrong[0]} {wrong[1]}. {MEND}" if wrong else "")
        refused = refused_speed(profile, machine, model, method, reason) if reason else None
        found[machine, model, method] = refused or record
    return found


def shown(folder: Path, place: str) -> str:
    """A file as rows name it: from the profile's folder on, so that a table reads the same wherever it is made."""
    return f"{folder.name}/{place}"
