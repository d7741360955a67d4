"""What there is: methods, models and tasks as terminal tables, without running anything."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from headroom.api import Method, Track
from headroom.config.params import Params, load
from headroom.config.registry import load_method, method_files, summary
from headroom.config.tasks import load_task, tasks_folder


def methods_table(params_file: Path) -> Table:
    """Every entry of the profile, then the files that no entry uses."""
    params = load(params_file)
    table = made("Methods", "name", "track", "removes", "needs", "paper", "what it does")
    files, used = method_files(), set()
    for name, entry in params.methods.items():
        method = load_method(name, entry, f"{params_file}: methods.{name}")
        used.add(method.name)
        table.add_row(name, *facts(method), summary(files[method.name]))
    for name, file in files.items():
        if name not in used:
            method = load_method(name, {}, f"methods/{file.name}")
            table.add_row(name, *facts(method), f"{summary(file)} (not in {params_file})", style="dim")
    return table


def facts(method: Method) -> tuple[str, str, str, str]:
    """Track, grains, needs and paper, as the method declares them."""
    return method.track.value, ", ".join(map(str, method.removes())), needs(method), method.paper


def needs(method: Method) -> str:
    """What a method asks for before it has a plan. What that cost, the harness counts: it stands in the tables."""
    if method.track is Track.TRAINED:
        return "update steps"
    if method.stochastic or not method.calibrated:
        return "no data"
    passes = "forward and backward" if method.track is Track.GRADIENT else "forward"
    examples = getattr(method.params, "examples", None)
    return f"{examples} examples, {passes}" if examples else passes


def models_table(params_file: Path) -> Table:
    """The models of the profile and where they come from."""
    params: Params = load(params_file)
    table = made("Models", "name", "from", "tasks")
    for name, spec in params.models.items():
        source = spec.source.folder or spec.source.hub or f"{(spec.source.config or {}).get('family')}, trained here"
        table.add_row(name, str(source), ", ".join(spec.tasks))
    return table


def tasks_table() -> Table:
    """Every task file."""
    table = made("Tasks", "name", "metric", "what it is")
    for file in sorted(tasks_folder().glob("*.yaml")):
        task = load_task(file.stem)
        table.add_row(task.name, task.metric.name, task.summary)
    return table


def made(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
