"""Folders of pruned models, loaded in an environment that has torch, transformers and safetensors, and nothing of ours.

``python -m benchmarks.fresh ENVIRONMENT MODEL...``: the environment is made where it is not there yet, and may be kept.
Of each model a block, a sublayer and some heads go; each is written as what most can load, and once as a folder that
Headroom alone loads. A line tells the largest difference of a logit to the model that was written, and whether a stock
loader refuses what it does not know. It ends with 1 where one differs, or is filled with random numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from headroom.api import Grain, Unit

PACKAGES = ("torch==2.13.*", "transformers", "safetensors")
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
ASK = """
import sys, transformers
for loader in sys.argv[2:]:
    try:
        getattr(transformers, loader).from_pretrained(sys.argv[1], trust_remote_code=False)
    except (OSError, ValueError) as error:
        print(loader, "refuses:", type(error).__name__)
    else:
        print(loader, "LOADS")
"""


def environment(folder: Path) -> str:
    """Its Python; made where it is not there yet, which takes minutes."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, *PACKAGES]
        subprocess.run(install, check=True)
    found = subprocess.run([python, "-c", "import headroom"], capture_output=True, cwd=folder)
    if found.returncode == 0:
        raise typer.BadParameter(f"{folder} has Headroom in it. Name a new folder.")
    return str(python)


def plans(model: Any) -> Iterator[tuple[str, list[Unit], str]]:
    """What goes, in words and as units, and the format that is asked for."""
    from headroom.attention import anatomy

    plan = anatomy(model)
    by_grain = {grain: list(plan.units([grain])) for grain in plan.info.grains}
    blocks = [unit for unit in by_grain[Grain.BLOCK] if not plan.stacks[unit.site.stack].headless]
    heads = by_grain[Grain.HEAD]
    yield "a block", [blocks[len(blocks) // 2]], "auto"
    yield "a sublayer", [by_grain[Grain.ATTENTION][-1], by_grain[Grain.MLP][len(by_grain[Grain.MLP]) // 2]], "auto"
    yield "heads", [heads[1], heads[-1], heads[-2]], "auto"
    yield "heads", [heads[1]], "headroom"


def lines(folder: Path, python: str) -> Iterator[tuple[bool, str]]:
    """For each plan of a model: whether all is well, and a line."""
    from headroom.attention import without
    from headroom.attention.families import supported_class
    from headroom.shipping import opened, probing, ship
    from headroom.shipping.again import asked
    from headroom.shipping.code import auto_class

    model = opened(folder)
    auto, dense = str(auto_class(model)), supported_class(type(model))
    for words, units, format in plans(model):
        with TemporaryDirectory() as scratch:
            smaller, out, probe = without(model, units), Path(scratch) / "small", Path(scratch) / "probe.safetensors"
            kind = ship(smaller, out, format).kind
            what = f"{folder.name}: {words} ({', '.join(map(str, units))}), {kind}"
            if kind != "headroom":
                probing.write(smaller, probe)
                options = {"trust_remote_code": True} if kind == "code" else {}
                told = (str(out), auto, str(probe), json.dumps(options), json.dumps(probing.FLAGS))
                found = asked("loading_again.py", f"transformers.{auto}", *told, python=python)
                yield found.equal, f"{what}: {found}"
            if kind != "stock":
                names = [name for name in (auto, dense) if not name.startswith("MarianSSRU")]  # transformers has none
                said = subprocess.run([python, "-c", ASK, out, *names], capture_output=True, text=True, cwd=scratch)
                yield "LOADS" not in said.stdout and bool(said.stdout), f"{what}: {'; '.join(said.stdout.splitlines())}"


def main(environment_: Annotated[Path, typer.Argument()], models: list[Path]) -> None:
    """Print a line for each folder and loader."""
    python, well = environment(environment_.absolute()), True
    for folder in models:
        for good, line in lines(folder, python):
            well &= good
            print("ok " if good else "BAD", line, flush=True)
    raise typer.Exit(0 if well else 1)


if __name__ == "__main__":
    typer.run(main)
