"""What healing was worth and what it took, for the person who asked for it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from headroom.config.tasks import Task
from headroom.pruning.healing import Healed
from headroom.results.records import TaskScore
from headroom.site.numbers import seconds, size
from headroom.terminal.layout import made

WHAT = {"full": "all weights", "lora": "adapters", "distil": "from the dense model"}


def told(healed: Healed, task: Task) -> Iterator[RenderableType]:
    """A table of before and after, and why the healed model was not taken, if so."""
    recipe, before, after = healed.recipe, healed.before, healed.after
    learned = WHAT[recipe.kind] + (f", adapters of rank {recipe.adapters}" if recipe.adapters else "")
    table = made(f"healed for {healed.steps} of {recipe.steps} steps: {recipe.kind} ({learned})", "", "before", "after")
    if before and after:
        table.add_row(f"{task.name}, {task.metric.name}", value(before), value(after))
        table.add_row("quality kept, of the dense model's", kept(before), kept(after))
    if healed.losses:
        table.add_row("loss, of the first steps and of the last", *(f"{loss:.3f}" for loss in healed.losses))
    rows = f"{healed.examples:,} examples of {healed.split}, {recipe.batch} a step, rate {recipe.learning_rate:g}"
    took = f"; {seconds(healed.seconds)}, {size(healed.memory)} of memory at the most" if healed.steps else ""
    table.caption, table.caption_justify = f"{rows}{took}", "left"
    yield table
    if healed.why:
        yield healed.why
    elif healed.stopped:
        yield f"Stopped: the model has been healed for {healed.steps} of {recipe.steps} steps."
    if after and before and after.retained < before.retained:
        yield "Healing did not help: quality is lower than before. Try another --heal-rate, or leave --heal out."


def value(score: TaskScore) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def kept(score: TaskScore) -> str:
    return f"{score.retained:.1%} ({score.retained_low:.1%} to {score.retained_high:.1%})"
