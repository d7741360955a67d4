"""What is done, running, failed or stale, cell by cell."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.table import Table
from rich.text import Text

from headroom.config.params import Params, load
from headroom.errors import UserError
from headroom.results.files import read
from headroom.results.records import CellRecord
from headroom.terminal.layout import made

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


def overview(params_file: Path) -> tuple[Table, int]:
    """A table of methods by models, and how many cells are neither ok nor unsupported."""
    params = load(params_file)
    stale, running = stale_stages(params_file), running_stages(params_file)
    table = made(f"Profile {params.profile}", "method", *params.models)
    notes, unfinished = [], 0
    for method in params.methods:
        row = [Text(method)]
        for model in params.models:
            state, why = state_of(params, method, model, stale, running)
            unfinished += state not in ("ok", "unsupported", NOT_ASKED)
            row.append(Text(state, style=STYLES[state]))
            if why:
                notes.append(f"{method} on {model}, {state}: {why}")
        table.add_row(*row)
    table.caption = Text("\n".join(notes)) if notes else None
    table.caption_justify = "left"
    return table, unfinished


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
