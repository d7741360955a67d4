"""What each kind of healing is worth and takes: `python -m benchmarks.healing FOLDER layer-similarity --target 0.25`.

FOLDER is a prepared model. Every kind learns in a process of its own from what the method leaves, the same batches for
as many steps, and is scored on the same evaluation examples of the model's first task.
Memory is that of the process at the most, in copies of the dense weights, of which one is there when learning begins;
what the libraries and the encoded examples take is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

RECIPES = {  # what adapters learn well by is about ten times what all weights do
    "full": {"kind": "full", "learning_rate": 5e-5},
    "lora": {"kind": "lora", "learning_rate": 5e-4},
    "distil": {"kind": "distil", "learning_rate": 5e-5},
    "distil by adapters": {"kind": "distil", "rank": 8, "learning_rate": 5e-4},
}


def main(
    folder: Path,
    method: str,
    target: float = 0.25,
    steps: int = 30,
    batch: int = 4,
    length: int = 64,
    examples: int = 60,
    threads: int = 1,
    kinds: Annotated[list[str] | None, typer.Option("--kind")] = None,
    plan: Annotated[list[str] | None, typer.Option(help="units in the place of the method's own")] = None,
    child: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    asked = {"steps": steps, "batch": batch, "length": length, "examples": examples, "threads": threads}
    if child:
        print(
            json.dumps(
                planned(folder, method, target, examples)
                if child == PLAN
                else measured(folder, plan or [], child, asked)
            )
        )
        return

    def answer(what: str, units: list[str]) -> Any:
        words = [str(word) for name, value in asked.items() for word in (f"--{name}", value)]
        words += [word for unit in units for word in ("--plan", unit)]
        command = [sys.executable, "-m", "benchmarks.healing", str(folder), method, "--target", str(target), *words]
        done = subprocess.run([*command, "--child", what], stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    out = Console()
    units = plan or answer(PLAN, [])
    out.print("without", ", ".join(units))
    table = Table("", *(name.replace("_", " ") for name in KEYS))
    for kind in ("dense", "removed", *(kinds or RECIPES)):
        found = answer(kind, units)
        out.print_json(data=found)
        table.add_row(kind, *(f"{found[key]:.3f}" if key in found else "" for key in KEYS))
    out.print(table)


def planned(folder: Path, name: str, target: float, examples: int) -> list[str]:
    """The units that a method would remove."""
    from headroom.config.registry import load_method
    from headroom.pipeline.bench import Bench
    from headroom.pipeline.context import HarnessContext
    from headroom.pipeline.plans import ask

    bench, method = Bench(folder), load_method(name, {"examples": examples, "batch_size": 8}, name)
    parts = bench.prepared.model, method.removes(), bench.calibration, bench.collator, method.params
    answer = ask(method, HarnessContext(*parts, seed=0, lent=True), [target], name, seconds=3600)
    return [str(unit) for unit in sorted(answer.plans[0].drop)]


KEYS = ("bits_per_byte", "perplexity", "seconds_a_step", "peak_learning", "peak_merged")
PLAN = "plan"


def measured(folder: Path, plan: list[str], kind: str, asked: dict[str, Any]) -> dict[str, Any]:
    """One kind: quality, and for those that learn seconds and memory."""
    import peft  # noqa: F401  - belongs to the libraries
    import torch

    from headroom import attention
    from headroom.api import Unit
    from headroom.pipeline.bench import Bench

    torch.set_num_threads(asked["threads"])
    bench = Bench(folder)
    dense = bench.prepared.model
    weights = sum(tensor.nbytes for tensor in dense.parameters()) / 2**20
    removed = attention.without(dense, [Unit.parse(unit) for unit in plan]) if kind != "dense" else dense
    if kind not in RECIPES:
        return {"kind": kind} | scored(bench, removed, asked)
    model, found = learned(bench, removed, kind, asked)
    peaks = {name: 1 + found.pop(name) / weights for name in ("peak_learning", "peak_merged")}
    return {"kind": kind, **found, **peaks, **scored(bench, model, asked)}


def learned(bench: Any, removed: Any, kind: str, asked: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model after its steps, and what they took."""
    from dataclasses import replace

    from headroom.config.recovery import Recover
    from headroom.data.loading import read_split
    from headroom.measure.clock import Stopwatch
    from headroom.measure.memory import forget_peak, resident_mb
    from headroom.training.lessons import Lessons
    from headroom.training.recovery import recovered

    steps = asked["steps"]
    recipe = Recover(steps=steps, batch=asked["batch"], warmup=steps // 10, **RECIPES[kind])  # type: ignore[arg-type]
    collator = replace(bench.prepared.contract, length=asked["length"]).collator(bench.tasks[0])
    examples = read_split(bench.folder, bench.tasks[0].name, "train")
    lessons, peaks = Lessons(examples, collator, recipe, None, None), [0.0]

    collator.arrange(examples)  # all are encoded once
    forget_peak(False)
    there = resident_mb("VmRSS") or 0.0

    def told(step: int, loss: float) -> None:
        peaks[0] = (resident_mb("VmHWM") or 0.0) - there
        print(f"{kind}: step {step} of {steps}, loss {loss:.3f}, {peaks[0]:,.0f} MiB more", file=sys.stderr, flush=True)

    with Stopwatch() as watch:
        model, losses = recovered(removed, bench.prepared.model, lessons, steps, 0, on_step=told)
    merged = (resident_mb("VmHWM") or 0.0) - there
    loss = {"first_loss": losses[0]["loss"], "last_loss": losses[-1]["loss"]}
    return model, {"seconds_a_step": watch.seconds / steps, "peak_learning": peaks[0], "peak_merged": merged, **loss}


def scored(bench: Any, model: Any, asked: dict[str, Any]) -> dict[str, float]:
    """Bits per byte as the pipeline has them, and the perplexity of a token in blocks, on the same few examples."""
    import math

    import torch

    from headroom.data.batches import IGNORED, batches, per_example_loss
    from headroom.data.loading import read_split
    from headroom.evaluate import Evaluation
    from headroom.results.aggregates import AGGREGATES

    task = bench.tasks[0]
    rows = read_split(bench.folder, task.name, "evaluate")
    rows = rows.select([place * len(rows) // asked["examples"] for place in range(asked["examples"])])
    scores = Evaluation.of(bench.prepared, [(task, rows)]).score(model)[task.name]
    nats, tokens = 0.0, 0
    with torch.inference_mode():
        for batch in batches(rows, bench.collator, 4):
            counts = (batch["labels"][:, 1:] != IGNORED).sum(-1)
            nats += float((per_example_loss(model, batch) * counts).sum())
            tokens += int(counts.sum())
    bits = float(AGGREGATES[scores.aggregate](scores.stats.sum(axis=0)))
    return {"bits_per_byte": bits, "perplexity": math.exp(nats / tokens), "tokens": tokens}


if __name__ == "__main__":
    typer.run(main)
