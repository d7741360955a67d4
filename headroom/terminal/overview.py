"""What is done, running, failed or stale, cell by cell."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from headroom.config.params import Params, load
from headroom.errors import UserError
from headroom.results.records import CellRecord, read
from headroom.terminal.listing import made

STYLES = {
    "ok": "green",
    "failed": "bold red",
    "unsupported": "dim",
    "stale": "yellow",
    "missing": "dim",
    "running": "cyan",
}


def overview(params_file: Path) -> tuple[Table, int]:
    """A table of methods by models, and how many cells are neither ok nor unsupported."""
    params = load(params_file)
    stale, running = stale_cells(params_file), running_cells()
    table = made(f"Profile {params.profile}", "method", *params.models)
    notes, unfinished = [], 0
    for method in params.methods:
        row = [Text(method)]
        for model in params.models:
            state, why = state_of(params, method, model, stale, running)
            unfinished += state not in ("ok", "unsupported")
            row.append(Text(state, style=STYLES[state]))
            if why:
                notes.append(f"{method} on {model}, {state}: {why}")
        table.add_row(*row)
    table.caption = Text("\n".join(notes)) if notes else None
    table.caption_justify = "left"
    return table, unfinished


def state_of(params: Params, method: str, model: str, stale: set[str], running: set[str]) -> tuple[str, str]:
    """One cell's state, and the reason where there is one."""
    stage = f"quality@{method},{model}"
    path = params.quality_record(model, method)
    if stage in running:
        return "running", ""
    if not path.is_file():
        return "missing", ""
    try:
        record = read(path, CellRecord)
    except UserError as error:
        return "failed", str(error)
    if record.status != "ok":
        return record.status, record.reason
    return ("stale", "") if stage in stale else ("ok", "")


def stale_cells(params_file: Path) -> set[str]:
    """Stages whose code, params or data changed since their record was made, as DVC sees it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    dvc_file = params_file.with_name("dvc.yaml")
    try:
        with Repo() as repo:
            found = repo.status(targets=[str(dvc_file)])
    except DvcException:
        return set()
    return {name.rpartition(":")[2] for name in found}


def running_cells() -> set[str]:
    """Cells that a stage process is in right now: named by its own command line."""
    import psutil

    found = set()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "stage" in words and "quality" in words and len(words) > 2:
            found.add(f"quality@{words[-2]},{words[-1]}")
    return found
