"""`headroom inspect`: what a folder with a model is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from headroom.terminal.layout import made
from headroom.terminal.printing import PlainConsole

if TYPE_CHECKING:
    from headroom.shipping.inspecting import Costs, Inspected, Layers


def inspect(folder: Annotated[Path, typer.Argument(help="a folder with a model, pruned or dense")]) -> None:
    """What is gone from a model's folder, what it costs per token, what can load it, and whether it is whole."""
    from headroom.shipping.inspecting import inspect as look

    found, out = look(folder), PlainConsole()
    for part in parts(found):
        out.print(part, soft_wrap=isinstance(part, str))
    raise typer.Exit(1 if found.troubles else 0)


def parts(found: Inspected) -> Iterator[RenderableType]:
    """What is printed, in its order."""
    from headroom.shipping.inspecting import GONE, LEFT, NO_BLOCK

    yield f"{found.folder}: {found.named}, {found.form}."
    yield f"gone: {found.gone or 'unknown'}"
    if found.layers:
        yield f"{LEFT} left, {GONE} gone, {NO_BLOCK} gone with its block"
    yield from map(drawn, found.layers)
    if found.costs:
        yield costs(found.costs)
    for loader in found.loaders:
        yield f"loads with: {loader}" if not loader.startswith("when") else loader
    if found.troubles:
        yield "not whole:"
        yield from (f"  {trouble}" for trouble in found.troubles)
    else:
        yield "whole: every file and weight is there."


def drawn(layers: Layers) -> RenderableType:
    """The map of a stack."""
    table = made("", layers.stack, *layers.kinds)
    for layer, marks in layers.rows:
        table.add_row(str(layer), *marks)
    return table


def costs(found: Costs) -> str:
    """One line of figures."""
    from headroom.site.numbers import size

    kv = f", {size(found.kv_bytes)} of cache in {found.dtype}" if found.kv_bytes else ""
    each = f"{found.macs:,} multiply-accumulates{kv} per {found.of}"
    return f"costs: {found.parameters:,} parameters ({found.attention_parameters:,} of attention), {each}"
