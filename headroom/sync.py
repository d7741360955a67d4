"""Write every profile's ``dvc.yaml`` from its ``params.yaml``: the stage definitions are this one text.

DVC can run a matrix over the names of methods and models, but it cannot get from a name to the file behind it
(``layer-similarity-mlp`` is ``methods/layer_similarity.py`` with a parameter), and a cell must depend on that file and
on no other. So the cells are written out, one line each.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from headroom import engine
from headroom.errors import UserError
from headroom.params import Params, load
from headroom.project import root
from headroom.registry import file_of, short
from headroom.shapes import pipeline as shapes
from headroom.shapes.params import describes
from headroom.tasks import load_task

TEMPLATE = Path(__file__).parent / "templates" / "dvc.yaml.j2"


def profiles() -> dict[Path, Path]:
    """params.yaml to dvc.yaml, for the root profile and everything in ``profiles/``, relative to the project."""
    found = [Path("params.yaml"), *sorted(p.relative_to(root()) for p in root().glob("profiles/*/params.yaml"))]
    return {path: path.with_name("dvc.yaml") for path in found}


def render(params_file: Path) -> str:
    """The dvc.yaml that belongs to a params.yaml, both relative to the project root."""
    if describes(root() / params_file):  # no training and no quality: a pipeline of its own
        return shapes.render(params_file)
    params = load(root() / params_file)
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        params_file=params_file.as_posix(),
        up="/".join([".."] * (len(params_file.parts) - 1)),
        results=params.results.as_posix(),
        work=params.work.as_posix(),
        site=params.site.as_posix(),
        cells=cells(params, params_file),
        recovers=bool(params.recover),
        models={
            name: sorted({file for task in spec.tasks for file in task_files(task)})
            for name, spec in params.models.items()
        },
        engine=engine,
    )


def cells(params: Params, params_file: Path) -> list[dict[str, str]]:
    """One row per (method, model), methods outside, so that the dense model comes first."""
    return [
        {"method": method, "model": model, "file": short(file_of(method, entry, f"{params_file}: methods.{method}"))}
        for method, entry in params.methods.items()
        for model in params.models
    ]


def task_files(task: str) -> list[str]:
    """The task's YAML, and the Python file beside it where the data are made."""
    made = load_task(task).data.made
    return [f"tasks/{task}.yaml", *([made] if made else [])]


def sync() -> list[Path]:
    """Bring every dvc.yaml up to date; returns those that changed."""
    stale = behind()
    for path, text in stale.items():
        (root() / path).write_text(text, encoding="utf-8")
    return list(stale)


def behind() -> dict[Path, str]:
    """The dvc.yaml files that differ from what their params.yaml says, with the text they should hold."""
    found = {}
    for params_file, dvc_file in profiles().items():
        text, path = render(params_file), root() / dvc_file
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found[dvc_file] = text
    return found


def refuse_behind(params_file: Path) -> None:
    """Raises ``UserError`` when the pipeline about to run is not the one that params.yaml describes."""
    relative = params_file.resolve().relative_to(root()) if params_file.is_absolute() else params_file
    dvc_file = relative.with_name("dvc.yaml")
    if relative in profiles() and dvc_file in behind():
        raise UserError(f"{dvc_file}: is behind {relative}. Run `headroom sync`, then `dvc repro` again.")
