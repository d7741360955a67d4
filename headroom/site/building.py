"""Build the page of a profile from its tables: no torch, no network, the same bytes from the same tables."""

from __future__ import annotations

import base64
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headroom.site.numbers import FILTERS
from headroom.site.page import gather
from headroom.site.styles import MARKERS, look
from headroom.tables.load import profile_folder
from headroom.tables.write import PARQUET

DATA = [f"{name}.{kind}" for name in PARQUET for kind in ("csv", "parquet")]
DATA += ["curves.csv", "summary.json", "dictionary.md", "dictionary.csv"]


@dataclass(frozen=True)
class Download:
    """A file beside the page."""

    path: str
    bytes: int
    sha256: str


def build(profile: str, results: Path, out: Path) -> None:
    """Write ``index.html`` and the data it links to into ``out``. ``collect`` has to have run."""
    page = gather(profile, results)
    out.mkdir(parents=True, exist_ok=True)
    downloads = [_copy(profile_folder(profile, results) / name, out) for name in DATA]
    environment = _environment()
    script, style = (Markup(_source(environment, name)) for name in ("static/page.js", "static/page.css"))
    html = environment.get_template("templates/index.html").render(
        page=page,
        downloads=downloads,
        script=script,
        style=style,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        look=look,
        markers=MARKERS,
    )
    lines = [line.strip() for line in html.splitlines()]
    (out / "index.html").write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8", newline="\n")


def _environment() -> Environment:
    loader = PackageLoader("headroom.site", package_path="")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(FILTERS)
    environment.filters["drawn"] = lambda svg: Markup(svg)
    return environment


def _source(environment: Environment, name: str) -> str:
    """A static file without indentation, empty lines and line comments: it stands inside the page."""
    assert environment.loader is not None
    lines = [line.strip() for line in environment.loader.get_source(environment, name)[0].splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _copy(source: Path, out: Path) -> Download:
    target = out / "data" / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    content = target.read_bytes()
    return Download(f"data/{source.name}", len(content), hashlib.sha256(content).hexdigest())
