"""What is done, running, failed or stale, cell by cell."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from headroom.config.params import Params, load
from headroom.errors import UserError
from headroom.results.files import read
from headroom.results.records import CellRecord
from headroom.terminal.layout import fits, made, wrapped

NOT_ASKED = "not asked"  # of this model, see run.only
STYLES = {
    "ok": "green",
    "failed": "bold red",
    "unsupported": "dim",
    "stale": "yellow",
    "missing": "dim",
    "running": "cyan",
    NOT_ASKED: "dim",
}
MARKS = dict(zip(STYLES, ("+", "!", "-", "~", ".", ">", ""), strict=True))  # where words do not fit
DONE = ("ok", "unsupported", NOT_ASKED)


@dataclass
class Overview:
    """Methods by models: in words where the terminal is as wide as that, else a mark a cell, the models by number."""

    profile: str
    models: list[str]
    states: dict[str, list[str]] = field(default_factory=dict)  # by method, one a model
    notes: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        """How many cells are neither ok nor unsupported."""
        return sum(state not in DONE for row in self.states.values() for state in row)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        columns = list(zip(self.models, *self.states.values(), strict=True))
        wide = fits([["method", *self.states], *columns], options.max_width)
        headings = self.models if wide else [str(number) for number in range(1, len(self.models) + 1)]
        table = made(f"Profile {self.profile}", "method", *headings)
        for method, states in self.states.items():
            if wide or set(states) != {NOT_ASKED}:  # in little room, none for a method that no model is asked
                words = (Text(state if wide else MARKS[state], style=STYLES[state]) for state in states)
                table.add_row(method, *words)
        yield table
        under = self.notes if wide else [*self.counted(), *self.notes]
        yield from (Text(line) for note in under for line in wrapped(note, options.max_width, "  "))

    def counted(self) -> Iterator[str]:
        """What the marks mean, and under each number its model with how many cells are in which state."""
        there = [state for state in STYLES if any(state in row for row in self.states.values()) and MARKS[state]]
        yield ", ".join(f"{MARKS[state]} {state}" for state in there)
        for number, (model, *states) in enumerate(zip(self.models, *self.states.values(), strict=True), 1):
            counts = Counter(state for state in states if state != NOT_ASKED)
            yield f"{number} {model}: " + (", ".join(f"{counts[state]} {state}" for state in counts) or NOT_ASKED)


def overview(params_file: Path) -> Overview:
    """Every cell of a profile, and the reasons of those that have one."""
    params = load(params_file)
    stale, running = stale_stages(params_file), running_stages(params_file)
    found = Overview(params.profile, list(params.models))
    for method in params.methods:
        row = found.states[method] = list[str]()
        for model in params.models:
            state, why = state_of(params, method, model, stale, running)
            row.append(state)
            if why:
                found.notes.append(f"{method} on {model}, {state}: {why}")
    return found


def state_of(params: Params, method: str, model: str, stale: set[str], running: set[str]) -> tuple[str, str]:
    """One cell's state, and the reason where there is one."""
    stage = f"measure@{model}"
    path = params.quality_record(model, method)
    if not params.asks(model, method):
        return NOT_ASKED, ""
    if not path.is_file():
        return ("running", "") if stage in running else ("missing", "")
    try:
        record = read(path, CellRecord)
    except UserError as error:
        return "failed", str(error)
    if record.status != "ok":
        return record.status, record.reason
    return ("stale", "") if stage in stale else ("ok", "")


def stale_stages(params_file: Path) -> set[str]:
    """Stages whose code, params or data changed since their records were made, as DVC sees it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    dvc_file = params_file.with_name("dvc.yaml")
    try:
        with Repo() as repo:
            found = repo.status(targets=[str(dvc_file)])
    except DvcException:
        return set()
    except OSError as error:  # DVC wants to lock what it looks at
        logging.getLogger(__name__).warning("What is stale cannot be told: %s: %s.", error.filename, error.strerror)
        return set()
    return {name.rpartition(":")[2] for name in found}


def running_stages(params_file: Path) -> set[str]:
    """Models that a process measures right now: named by its own command line."""
    import psutil

    found = set()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "measure" in words and "stage" in words and str(params_file) in words:
            found.add(f"measure@{words[-1]}")
    return found
