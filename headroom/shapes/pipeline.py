"""The dvc.yaml of the profile, written from its params.yaml like every other."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from headroom import engine
from headroom.project import root
from headroom.shapes.params import load

TEMPLATE = Path(__file__).parents[1] / "templates" / "shapes.yaml.j2"


def render(params_file: Path) -> str:
    """The dvc.yaml that belongs to a params.yaml of shapes, relative to the project root."""
    params = load(root() / params_file)
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        params_file=params_file.as_posix(),
        up="/".join([".."] * (len(params_file.parts) - 1)),
        results=params.results.as_posix(),
        work=params.work.as_posix(),
        site=params.site.as_posix(),
        shapes=list(params.shapes),
        engine=engine,
    )
