"""Is a record the one that its place is for, and an answer to what the profile asks?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headroom.config.plain import shown
from headroom.errors import UserError
from headroom.results.asked import Asked
from headroom.results.files import MEND, read
from headroom.results.records import CellRecord, Point
from headroom.results.speed_records import SpeedRecord
from headroom.units import Unit


def read_cell(path: Path, profile: str, model: str, method: str, where: str = "") -> CellRecord:
    """The quality record of a cell. Raises as ``files.read`` does, and ``UserError`` for the record of another cell."""
    record = read(path, CellRecord, where)
    in_place(record, {"profile": profile, "model": model, "method": method}, where or str(path))
    return record


def read_speed(path: Path, profile: str, machine: str, model: str, method: str, where: str = "") -> SpeedRecord:
    """The speed record of a cell on a machine. Raises as ``read_cell`` does."""
    record = read(path, SpeedRecord, where)
    place = {"profile": profile, "machine": machine, "model": model, "method": method}
    in_place(record, place, where or str(path))
    return record


def in_place(record: CellRecord | SpeedRecord, place: dict[str, str], where: str) -> None:
    """Raises ``UserError`` where a record names another cell than the place does in which it lies."""
    for key, wanted in place.items():
        if getattr(record, key) != wanted:
            raise UserError(
                f"{where}: {key} is {shown(getattr(record, key))}, and this is the place of {wanted}. {MEND}"
            )


def unlike_asked(record: CellRecord, asked: Asked) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) for all in which a record answers another question than params.yaml asks."""
    entry = asked.methods.get(record.method)
    if entry and entry.file and record.file != entry.file:
        yield "file", f"is {shown(record.file)}, and params.yaml names {entry.file}"
    if record.status == "unsupported" or not record.points:
        return
    for name, value in entry.parameters.items() if entry else ():
        if name not in record.parameters or record.parameters[name] != value:
            yield f"parameters.{name}", f"is {shown(record.parameters.get(name))}, and params.yaml asks for {value!r}"
    if record.provenance.threads != asked.threads:
        yield "provenance.threads", f"is {record.provenance.threads}, and params.yaml asks for {asked.threads}"
    if asked.device not in ("auto", record.provenance.device or "cpu"):
        yield "provenance.device", f"is {record.provenance.device or 'cpu'}, and params.yaml asks for {asked.device}"
    wanted = asked.tasks.get(record.model, {})
    if set(record.tasks) != set(wanted):
        yield "tasks", f"holds {', '.join(record.tasks) or 'none'}, and params.yaml asks for {', '.join(wanted)}"
    for task, facts in record.tasks.items():
        if task in wanted and facts.version != wanted[task]:
            yield f"tasks.{task}.version", f"is {facts.version}, and that of tasks/{task}.yaml {wanted[task]}"
    for number, point in enumerate(record.points):
        if point.status == "ok" and not point.label:
            faults = _point(record, point, asked, entry.kinds if entry else None)
            yield from ((f"points.{number}.{key}", message) for key, message in faults)


def _point(record: CellRecord, point: Point, asked: Asked, kinds: tuple[str, ...] | None) -> Iterator[tuple[str, str]]:
    if point.setting == "recovered":
        steps, more = asked.steps.get(record.model, 0), record.track == "trained"  # from scratch, and then as long
        if not steps:
            yield "setting", f"is recovered, and params.yaml recovers nothing of {record.model}"
        elif point.updates != steps and not (more and point.updates > steps):
            yield "updates", f"is {point.updates}, and params.yaml asks for {steps} (recover.{record.model}.steps)"
        kind = asked.recovery.get(record.model, "full")
        if point.recovery != kind and not (more and point.recovery == "full"):  # all steps went into its own training
            yield "recovery", f"is {point.recovery}, and params.yaml asks for {kind} (recover.{record.model}.kind)"
    for site in (Unit.parse(unit).site for unit in point.plan if kinds):
        if kinds and f"{site.stack}.{site.kind}" not in kinds:
            yield "plan", f"lists units of {site.stack}.{site.kind}, and params.yaml offers {', '.join(kinds)}"
            return
