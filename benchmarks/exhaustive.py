"""What a budget's bisection found, against every step of the same ladder.

    python -m benchmarks.exhaustive FOLDER michel-greedy --task mnist --max-loss 1% --min-speed 1.2 --examples 1000

The search goes first, with a journal of its own; then all that it did not ask is measured, and each step is held
against the whole budget. Timings mean something on a quiet machine only.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Column, Table


def main(
    model: str,
    method: str,
    task: str = "",
    max_loss: Annotated[str | None, typer.Option()] = None,
    min_speed: Annotated[str | None, typer.Option()] = None,
    examples: int | None = None,
    threads: int = 1,
    image_mean: float | None = None,
    image_std: float | None = None,
) -> None:
    from headroom.pipeline.journal import Journal
    from headroom.pruning.attempts import attempted, questions
    from headroom.pruning.budgets import budget_of
    from headroom.pruning.examples import examples_of
    from headroom.pruning.judging import Judge
    from headroom.pruning.measuring import Bench
    from headroom.pruning.planning import Planner, method_of
    from headroom.pruning.subject import Request, subject_of
    from headroom.pruning.watching import watched

    budget = budget_of(max_loss, min_speed, None, None, None, None, "95%")
    request = Request(
        model=model,
        method=method,
        task=task or None,
        budget=budget,
        examples=examples,
        threads=threads,
        image_mean=image_mean,
        image_std=image_std,
    )
    torch.set_num_threads(threads)
    with TemporaryDirectory() as scratch, watched() as watch:
        bench = Bench(subject_of(request, *examples_of(request)), Journal(Path(scratch)), 0.95, threads, watch)
        begun = time.perf_counter()
        attempt = attempted(request, bench, Path(scratch))
        found_in = time.perf_counter() - begun
        planner = Planner(request, method_of(method, {}, examples), bench.subject, Path(scratch), watch)
        judge = Judge(bench, budget, bench.ladder(planner))
        small, fast, keeps = questions(judge)
        begun, rows = time.perf_counter(), []
        for place in range(len(judge.ladder)):
            asked = [
                judge.keeps(place) if keeps else True,
                judge.fast(place) if fast else True,
                judge.small(place) if small else True,
            ]
            rows.append((place, judge.trials[place], all(asked)))
        all_in = time.perf_counter() - begun
    good = [trial for _, trial, holds in rows if holds]
    alone = budget.limits == ["loss"]  # then the most is wanted that keeps within it, else the least that buys all
    wanted = (good[-1] if alone else good[0]).step if good else None
    table = Table(Column("units gone"), "kept, least", "speed, least", "within", "asked by the search", box=None)
    searched = {trial.step for trial in attempt.trials}
    for _, trial, holds in rows:
        kept = f"{trial.score.retained:.3f}, {trial.score.retained_low:.3f}" if trial.score else "-"
        sped = f"{trial.timing.speedup:.2f}, {trial.timing.low:.2f}" if trial.timing else "-"
        marks = ("yes" if holds else "", "yes" if trial.step in searched else "")
        table.add_row(f"{len(trial.step.drop)} of {trial.step.units}", kept, sped, *marks)
    out = Console()
    out.print(table)
    names = [f"{len(step.drop)} of {step.units}" if step else "nothing" for step in (attempt.step, wanted)]
    out.print(f"The search: {names[0]}, {len(attempt.trials)} steps asked, {found_in:.0f} s.")
    out.print(f"Every step: {names[1]}, {len(rows)} steps, {found_in + all_in:.0f} s.")
    out.print("The same answer." if attempt.step == wanted else f"Another answer. {attempt.nothing}")


if __name__ == "__main__":
    typer.run(main)
