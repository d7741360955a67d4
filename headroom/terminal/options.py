"""Options of the command line that more than one group of commands has."""

from pathlib import Path
from typing import Annotated

import typer

ParamsFile = Annotated[Path, typer.Option("--params", help="the profile's params.yaml")]
ROOT_PARAMS = Path("params.yaml")
