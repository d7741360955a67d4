"""What can be said about the profile of shapes before anything is timed."""

from __future__ import annotations

from pathlib import Path

from headroom.config.located import read_yaml
from headroom.config.project import check_folders
from headroom.models.checking import check_config
from headroom.shapes.params import load


def check(path: Path) -> None:
    """Raises ``UserError`` for the first thing that would stop the timing later. Imports torch."""
    params = load(path)
    check_folders(path, read_yaml(path))
    for name, shape in params.shapes.items():
        check_config(shape.config, shape.purpose, f"{path}: shapes.{name}.config")
