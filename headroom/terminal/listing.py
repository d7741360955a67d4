"""What there is: methods, models and tasks, without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group

from headroom.api import Method, Track
from headroom.config.params import Params, load
from headroom.config.registry import RESERVED, load_method, method_files, summary
from headroom.config.tasks import load_task, tasks_folder
from headroom.results.write import read_table
from headroom.terminal.layout import Listing
from headroom.terminal.power import uncertified

FACTS = ("name", "track", "removes", "needs")
TRACKS = "Tracks: forward looks at forward passes, gradient at backward passes too, trained updates weights."


def methods_table(params_file: Path) -> Group:
    """Every entry of the profile, then the files that no entry uses."""
    params = load(params_file)
    entries, kinds = params.methods, params.run.kinds
    limits = f" All of them remove in {', '.join(kinds)} only, unless an entry says otherwise." if kinds else ""
    used = Listing(f"Methods in {params_file}", FACTS, caption=TRACKS + limits)
    unused = Listing(f"Methods that are not in {params_file}", FACTS)
    left = method_files()  # not described yet
    for name, entry in entries.items():
        method = load_method(name, entry, f"{params_file}: methods.{name}")
        first = name == method.name or method.name not in entries  # of the entries that share a file
        file = left.pop(method.name, None) if first else None
        used.add(name, *facts(method), text=said(method, name, entry or {}, cited(method, file) if file else ""))
    for name, file in left.items():
        method = load_method(name, {}, f"methods/{file.name}")
        unused.add(name, *facts(method), text=cited(method, file), style="dim")
    return Group(used, unused) if left else Group(used)


def facts(method: Method) -> tuple[str, str, str]:
    """Track, grains and needs, as the method declares them."""
    return method.track.value, ", ".join(map(str, method.removes())), needs(method)


def needs(method: Method) -> str:
    """What a method asks for before it has a plan. What that cost, the harness counts: it stands in the tables."""
    if method.track is Track.TRAINED:
        return "update steps"
    if method.stochastic or not method.calibrated:
        return "no data"
    examples = getattr(method.params, "examples", "")
    return f"{examples} examples".strip()


def said(method: Method, name: str, entry: dict[str, Any], what: str) -> str:
    """Whose method an entry is, where that has another name; what it does; with which parameters and where."""
    values = ", ".join(f"{key}: {shown(value)}" for key, value in entry.items() if key not in RESERVED)
    having = f" with {values}" if values else ""
    whose = f"{method.name}{having}." if name != method.name else ""
    own = f"With {values}." if values and not whose else ""
    where = f"Removes in {', '.join(entry['kinds'])} only." if entry.get("kinds") else ""
    return " ".join(filter(None, (whose, what, own, where)))


def cited(method: Method, file: Path) -> str:
    """The first line of a method's file, and its paper."""
    return summary(file) if method.paper == "none" else f"{summary(file)} {method.paper}."


def shown(value: object) -> str:
    """A parameter as params.yaml has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def models_table(params_file: Path) -> Listing:
    """The models of the profile, where they come from, and what their examples turned out not to be enough for."""
    params = load(params_file)
    short = not_enough(params)
    found = Listing(f"Models in {params_file}", ("name", "from", "tasks"))
    for name, spec in params.models.items():
        came = spec.source.folder or spec.source.hub or spec.source.package
        source = came or f"{(spec.source.config or {}).get('family')}, trained here"
        found.add(name, str(source), ", ".join(spec.tasks), text=short.get(name, ""))
    return found


def not_enough(params: Params) -> dict[str, str]:
    """By model, where its rows as is have not enough examples to certify a loss of 1 %; nothing without tables."""
    if not (params.results / "leaderboard.csv").is_file():
        return {}
    rows: dict[tuple[str, str], list[Any]] = {}
    for row in read_table(params.results, "leaderboard"):
        if row.ranked and (row.setting, row.quality) == ("as is", "task"):
            rows.setdefault((row.model, row.task), []).append(row)
    said: dict[str, list[str]] = {}
    for (model, task), ranked in rows.items():
        if sentence := uncertified(ranked, "1"):
            said.setdefault(model, []).append(f"{task}: {sentence[0].lower()}{sentence[1:]}")
    return {model: " ".join(sentences) for model, sentences in said.items()}


def tasks_table() -> Listing:
    """Every task file."""
    found = Listing("Tasks", ("name", "metric"))
    for file in sorted(tasks_folder().glob("*.yaml")):
        task = load_task(file.stem)
        found.add(task.name, task.metric.name, text=task.summary)
    return found
