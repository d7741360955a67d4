"""Read the records of the LISTED methods and models. A leftover file of a removed method is not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from headroom.results.records import CellRecord, Machine, Setting, SpeedRecord, read

DENSE = "dense"


@dataclass(frozen=True)
class Records:
    """What was found for a list of methods and models; a cell without a record is simply not a key."""

    profile: str
    folder: Path
    methods: tuple[str, ...]
    models: tuple[str, ...]
    cells: dict[tuple[str, str], CellRecord] = field(default_factory=dict)
    speeds: dict[tuple[str, str, str], SpeedRecord] = field(default_factory=dict)  # (machine, model, method)
    machines: dict[str, Machine] = field(default_factory=dict)
    scores: Path | None = None  # folder of per-example statistics, model/method.npz
    setting: Setting = "as is"  # the one whose points the cells hold, once ``views`` has parted them
    elsewhere: frozenset[tuple[str, str]] = frozenset()  # cells that have points in the other view only

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every (model, method), models first, in the order of the lists."""
        every = ((model, method) for model in self.models for method in self.methods)
        return (pair for pair in every if pair not in self.elsewhere)

    def tasks(self, model: str) -> list[str]:
        """Tasks of a model as its records name them, in the order of first appearance."""
        found: dict[str, None] = {}
        for method in self.methods:
            record = self.cells.get((model, method))
            found.update(dict.fromkeys(sorted(record.tasks) if record else ()))
        return list(found)

    def recovers(self, model: str) -> bool:
        """Whether any plan of a model was fine-tuned."""
        cells = (cell for (name, _), cell in self.cells.items() if name == model)
        return any(point.setting == "recovered" for cell in cells for point in cell.points)

    def views(self) -> list[Records]:
        """The same cells once per setting: as is and recovered are never compared.

        Methods that train have no points as is; their cells stand there only where the model is not recovered at all.
        """
        models = tuple(model for model in self.models if self.recovers(model))
        trained = frozenset(key for key, cell in self.cells.items() if cell.track == "trained" and key[0] in models)
        as_is = {key: part(cell, "as is") for key, cell in self.cells.items() if key not in trained}
        recovered = {key: part(cell, "recovered") for key, cell in self.cells.items() if key[0] in models}
        found = [replace(self, cells=as_is, setting="as is", elsewhere=trained)]
        return found + ([replace(self, cells=recovered, models=models, setting="recovered")] if models else [])

    def path(self, model: str, method: str) -> Path:
        """Where the quality record of a cell lies."""
        return self.folder / "quality" / model / f"{method}.json"


def part(cell: CellRecord, setting: Setting) -> CellRecord:
    """A record with the points of one setting, and the status that these have."""
    points = [point for point in cell.points if point.setting == setting]
    troubles = [point.reason for point in points if point.status != "ok"]
    elsewhere = any(point.status != "ok" for point in cell.points)
    status, reason = ("ok", "") if cell.points and elsewhere else (cell.status, cell.reason)
    status, reason = ("failed", troubles[0]) if troubles else (status, reason)
    return cell.model_copy(update={"points": points, "status": status, "reason": reason})


def profile_folder(profile: str, results: Path) -> Path:
    """The profile's own folder, whether ``results`` is that folder already or the one of all profiles."""
    return results if results.name == profile else results / profile


def load(
    profile: str, methods: Sequence[str], models: Sequence[str], results: Path, scores: Path | None = None
) -> Records:
    """Read every listed record of a profile. Raises ``UserError`` for one that does not validate."""
    found = Records(profile, profile_folder(profile, results), tuple(methods), tuple(models), scores=scores)
    for path in sorted((found.folder / "machines").glob("*.json")):  # the one list that only the disk knows
        found.machines[path.stem] = read(path, Machine)
    for model, method in found.pairs():
        if (path := found.path(model, method)).exists():
            found.cells[model, method] = read(path, CellRecord)
        for machine in found.machines:
            if (path := found.folder / "speed" / machine / model / f"{method}.json").exists():
                found.speeds[machine, model, method] = read(path, SpeedRecord)
    return found


def no_skill(records: Records, model: str, task: str) -> str:
    """Why nothing can be retained: the dense model's interval reaches chance. Empty when clear of it, or not known."""
    dense = records.cells.get((model, DENSE))
    points = [point for point in dense.points if point.target == 0 and task in point.tasks] if dense else []
    if not dense or not points:
        return ""
    score, facts = points[0].tasks[task], dense.tasks[task]
    clear = score.low > facts.chance if facts.better == "higher" else score.high < facts.chance
    return "" if clear else f"The dense model is not clear of chance on {task}, so there is no quality to retain."
