"""The records of the LISTED methods and models, and views of them. A leftover file of a removed method is not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from headroom.results import believed
from headroom.results.asked import Asked
from headroom.results.between import zero
from headroom.results.published import Published
from headroom.results.records import DENSE as DENSE  # who reads records asks for it here
from headroom.results.records import CellRecord, Quality, Setting
from headroom.results.speed_records import Machine, SpeedRecord


@dataclass(frozen=True)
class Records:
    """What was found for a list of methods and models; a cell without a record is simply not a key.

    A record that cannot be believed is a failed one without points, whose reason names the file and what is wrong.
    """

    profile: str
    folder: Path
    methods: tuple[str, ...]
    models: tuple[str, ...]
    cells: dict[tuple[str, str], CellRecord] = field(default_factory=dict)
    speeds: dict[tuple[str, str, str], SpeedRecord] = field(default_factory=dict)  # (machine, model, method)
    machines: dict[str, Machine] = field(default_factory=dict)
    asked: Asked | None = None  # by params.yaml; where it is not at hand, what records hold says what was asked
    scores: Path | None = None  # folder of per-example statistics, model/method.npz
    published: Published = field(default_factory=Published)  # tables of an earlier run, where they are asked
    setting: Setting = "as is"  # the one whose points the cells hold, once ``views`` has parted them
    quality: Quality = "task"  # and the one whose scores are those of their tasks
    whole: dict[tuple[str, str], CellRecord] = field(default_factory=dict)  # and then the cells as they were
    elsewhere: frozenset[tuple[str, str]] = frozenset()  # cells that have points in the other view only

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every (model, method) that is asked for, models first, in the order of the lists."""
        every = ((model, method) for model in self.models for method in self.methods)
        return (pair for pair in every if pair not in self.elsewhere and (not self.asked or self.asked.asks(*pair)))

    def tasks(self, model: str) -> list[str]:
        """Tasks of a model as params.yaml names them, else as its records do, in the order of first appearance."""
        if self.asked and self.quality == "task":
            return sorted(self.asked.tasks.get(model, ()))
        found: dict[str, None] = {}
        for method in self.methods:
            record = self.cells.get((model, method))
            found.update(dict.fromkeys(sorted(record.tasks) if record else ()))
        return list(found)

    def recovers(self, model: str) -> bool:
        """Whether plans of a model are fine-tuned."""
        if self.asked:
            return bool(self.asked.recovered.get(model))
        return any(point.setting == "recovered" for cell in self._of(model) for point in cell.points)

    def views(self) -> list[Records]:
        """The same cells once per setting and quality, none of which is ever compared with another.

        Methods that train have no points as is; their cells stand there only where the model is not recovered at all.
        """
        models = tuple(model for model in self.models if self.recovers(model))
        trained = frozenset(key for key, cell in self.cells.items() if cell.track == "trained" and key[0] in models)
        as_is = {key: part(cell, "as is") for key, cell in self.cells.items() if key not in trained}
        recovered = {key: part(cell, "recovered") for key, cell in self.cells.items() if key[0] in models}
        found = [replace(self, cells=as_is, whole=self.cells, setting="as is", elsewhere=trained)]
        if models:
            found.append(replace(self, cells=recovered, whole=self.cells, models=models, setting="recovered"))
        return [*found, *(view for one in found if (view := one.on_agreement()).models)]

    def on_agreement(self) -> Records:
        """A view with agreement in place of the tasks' own metrics, of the models of which it was measured."""
        models = tuple(model for model in self.models if any(cell.agreement for cell in self._of(model)))
        cells = {key: cell.of_quality("agreement") for key, cell in self.cells.items() if key[0] in models}
        return replace(self, cells=cells, models=models, quality="agreement")

    def _of(self, model: str) -> list[CellRecord]:
        return [cell for (name, _), cell in self.cells.items() if name == model]

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
    profile: str,
    methods: Sequence[str],
    models: Sequence[str],
    results: Path,
    scores: Path | None = None,
    asked: Asked | None = None,
) -> Records:
    """Read every listed record of a profile. None of them can end it: one that is not believed is a failed cell."""
    folder = profile_folder(profile, results)
    found = Records(profile, folder, tuple(methods), tuple(models), asked=asked, scores=scores)
    pairs = list(found.pairs())
    found.cells.update(believed.cells(folder, profile, pairs, asked))
    for name, (machine, trouble) in believed.machines(folder).items():
        found.machines[name] = machine
        found.speeds.update(believed.speeds(folder, profile, name, trouble, found.cells, pairs))
    return found


def dense_kept(records: Records, model: str, task: str) -> float | None:
    """What the dense model itself keeps of its quality when it is fine-tuned like all others of a view.

    Shares of a recovered view are of that model, so that this alone says how far from the one that came they are.
    1 as is; None where it was not measured, or came no better than chance.
    """
    if records.setting == "as is":
        return 1.0
    found = records.whole.get((model, DENSE))
    dense = {DENSE: found.of_quality(records.quality)} if found else {}
    scores = zero(dense)
    before, after = scores.get(("as is", task)), scores.get(("recovered", task))
    if before is None or after is None:
        return None
    chance = dense[DENSE].tasks[task].chance
    return (after.value - chance) / (before.value - chance) if before.value != chance else None


def no_skill(records: Records, model: str, task: str) -> str:
    """Why nothing can be retained: the dense model's interval reaches chance. Empty when clear of it, or not known."""
    dense = records.cells.get((model, DENSE))
    points = [point for point in dense.points if point.target == 0 and task in point.tasks] if dense else []
    if not dense or not points:
        return ""
    score, facts = points[0].tasks[task], dense.tasks[task]
    clear = score.low > facts.chance if facts.better == "higher" else score.high < facts.chance
    return "" if clear else f"The dense model is not clear of chance on {task}, so there is no quality to retain."
