"""Measure, print a table beside the committed baseline, and write ``latest.json``; of parts, the table alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from benchmarks.figures import CALIBRATION, Figure, calibration, change
from headroom.errors import suggest

HERE = Path(__file__).parent
LATEST, BASELINE = HERE / "latest.json", HERE / "baseline.json"
WORSE = 0.8  # a figure this far behind the baseline is marked

out = Console()


def parts() -> dict[str, Callable[[], Iterator[Figure]]]:
    """What can be measured; each takes one to three minutes on two cores."""
    from benchmarks.likelihoods import likelihoods
    from benchmarks.pages import pages
    from benchmarks.points import points
    from benchmarks.processes import processes
    from benchmarks.speedups import speedups
    from benchmarks.spread import spread
    from benchmarks.surgery import surgery

    return {
        "surgery": surgery,
        "speedups": speedups,
        "spread": spread,
        "points": points,
        "likelihoods": likelihoods,
        "processes": processes,
        "pages": pages,
    }


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="surgery, speedups, spread, points, likelihoods, processes or pages")
    ] = None,
    rebase: Annotated[bool, typer.Option("--rebase", help="make the result the new baseline")] = False,
) -> None:
    """Every figure is of this machine at this moment; compare them as the table does, in units of the calibration.

    What ``only`` names is shown and not kept: the file would hold figures of two moments, and one calibration.
    """
    known = parts()
    if only and rebase:
        raise typer.BadParameter("a baseline is of all parts, at one moment. Leave out --only.", param_hint="--rebase")
    for name in only or ():
        if name not in known:
            raise typer.BadParameter(f"there is no part {name!r}. {suggest(name, known)}", param_hint="--only")
    figures = [calibration()]
    for name in only or known:
        out.print(f"{name} ...")
        figures += known[name]()
    before = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.is_file() else {}
    out.print(table(figures, before))
    if only:
        return
    for path in [LATEST, *([BASELINE] if rebase else [])]:
        write(path, {figure.name: figure.value for figure in figures})


def write(path: Path, figures: dict[str, float]) -> None:
    """Flat and sorted, four significant digits."""
    rounded = {name: float(f"{value:.4g}") for name, value in sorted(figures.items())}
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def table(figures: list[Figure], before: dict[str, float]) -> Table:
    """Figures, their aims, and how they stand to the baseline."""
    found = Table(Column("figure", no_wrap=True), "value", "aim", "against the baseline", box=None)
    for figure in figures:
        value = f"{figure.value:.3g}" + ("" if figure.unit == "ratio" else f" {figure.unit}")
        aim = "" if figure.aim is None else f"{figure.aim:g} {'met' if figure.meets() else 'missed'}"
        found.add_row(figure.name, value, aim, compared(figure, figures[0], before))
    found.caption = "Above 1.00 is better than the baseline, in units of the calibration kernel where it is a time."
    return found


def compared(figure: Figure, now: Figure, before: dict[str, float]) -> str:
    """The factor by which a figure is better, or nothing where there is none to compare with."""
    if figure.name not in before or CALIBRATION not in before or figure.name == CALIBRATION:
        return ""
    factor = change(figure, before[figure.name], now.value, before[CALIBRATION])
    return f"{factor:.2f}" + (" worse" if factor < WORSE else "")


if __name__ == "__main__":
    typer.run(main)
